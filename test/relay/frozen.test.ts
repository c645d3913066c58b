// The frozen vectors of test/vectors that a relay and its clients must agree on, against the relay's brain and the second implementation.

import { beforeAll, describe, expect, test } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { hash } from '../../crypto/hash.js';
import { sign } from '../../crypto/signature.js';
import { ready } from '../../crypto/sodium.js';
import { Relay } from '../../relay/core/relay.js';
import { decodeRelayFrame, encodeClientFrame } from '../../relay/wire/frame.js';
import { COLLECT_LABEL } from '../../relay/wire/limits.js';
import { searchWork, workOf } from '../../relay/wire/work.js';
import { mayCollect, signCollect, tokenHash as secondTokenHash, workBits } from '../oracle/relay.js';
import { unhex } from '../vectors/conversation.js';
import { load } from '../vectors/files.js';
import { NOW } from './bench.js';

beforeAll(ready);

describe('the frozen vectors', () => {
  test('have the hashes of send tokens', () => {
    for (const { token, hash: hashed } of load('relay').tokens) expect([hash('token', unhex(token)), secondTokenHash(unhex(token))].map(toHex)).toEqual([hashed, hashed]);
  });

  test('have the signature of an owner for one connection', () => {
    const { ownerSeed, collects } = load('relay');
    const { challenge, mailbox, tokenHash, signature } = collects[0]!;
    const signed = [challenge, mailbox, tokenHash].map(unhex) as [Uint8Array, Uint8Array, Uint8Array];
    expect([sign(unhex(ownerSeed), COLLECT_LABEL, Buffer.concat(signed)), signCollect(unhex(ownerSeed), ...signed)].map(toHex)).toEqual([signature, signature]);
  });

  test.each(load('relay').collects)('tell whether a mailbox may be collected: $name', ({ challenge, isRight, ...rest }) => {
    const [owner, mailbox, tokenHash, signature] = [rest.owner, rest.mailbox, rest.tokenHash, rest.signature].map(unhex) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const relay = new Relay(3478);
    relay.handle({ kind: 'opened', connection: 1, role: 'collect', challenge: unhex(challenge), source: null }, NOW);
    const [output] = relay.handle({ kind: 'frame', connection: 1, bytes: encodeClientFrame(1, { case: 'collect', value: { mailbox, owner, tokenHash, signature } }) }, NOW);
    const isTaken = output?.kind === 'store' && output.operation.kind === 'open';
    expect([isTaken, mayCollect(owner, unhex(challenge), mailbox, tokenHash, signature)]).toEqual([isRight, isRight]);
    if (!isTaken) expect(output?.kind === 'send' && decodeRelayFrame(output.frame).body.value).toMatchObject({ code: 'signature-wrong' });
  });

  test('have proofs of work, each the first number that has its bits', () => {
    for (const { challenge, mailbox, bits, nonce, has } of load('relay').work) {
      const [shown, box] = [unhex(challenge), unhex(mailbox)];
      expect([workOf(shown, box, unhex(nonce)), workBits(shown, box, unhex(nonce))]).toEqual([has, has]);
      expect(toHex(searchWork(shown, box, bits, 0, 100_000)!)).toBe(nonce);
    }
  });
});
