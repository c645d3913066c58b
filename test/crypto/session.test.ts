import { describe, expect, it } from 'vitest';
import { concat, equal, Writer } from '../../crypto/bytes.js';
import { respond } from '../../crypto/handshake.js';
import { createIdentity } from '../../crypto/identity.js';
import { openCard, parseLink } from '../../crypto/invitation.js';
import { BODY_MAX_BYTES, decrypt, encrypt, packSession, sessionId, unpackSession } from '../../crypto/session.js';
import { pack } from '../../crypto/ratchet/state.js';
import { ready, seal, x25519PublicKey } from '../../crypto/sodium.js';
import { begun, craft, DAY_MS, sides } from './side.js';
import { bytes, codeOf, initiate, invite, pair, seeded } from './support.js';

await ready();

describe('a session', () => {
  it('carries both directions, turn by turn', () => {
    const { a, b } = sides('turns');
    for (let turn = 0; turn < 20; turn++) {
      expect(b.receive(a.send(`ping ${turn}`))).toBe(`ping ${turn}`);
      expect(a.receive(b.send(`pong ${turn}`))).toBe(`pong ${turn}`);
    }
  });

  it('carries messages that cross', () => {
    const { a, b } = sides('crossing');
    for (let turn = 0; turn < 10; turn++) {
      const [ping, pong] = [a.send('ping'), b.send('pong')];
      expect(a.receive(pong)).toBe('pong');
      expect(b.receive(ping)).toBe('ping');
    }
  });

  it('opens late messages of the last five chains that have ended, whatever came between', () => {
    const { a, b } = sides('late');
    const late: Uint8Array[] = [];
    for (let turn = 0; turn < 6; turn++) {
      late.push(a.send(`late ${turn}`));
      b.receive(a.send('now'));
      a.receive(b.send('back'));
    }
    b.receive(a.send('now'));
    expect(b.refusal(late[0]!)).toBe('undecryptable');
    for (let turn = 1; turn < 6; turn++) expect(b.receive(late[turn]!)).toBe(`late ${turn}`);
    expect(b.session.skipped).toHaveLength(0);
  });

  it('hides length: an envelope is a bucket', () => {
    const { a } = sides('lengths');
    const length = (body: number) => encrypt(a.session, new Uint8Array(body), a.random, 0).message.length;
    expect([0, 408, 409, 920, 921].map(length)).toEqual([512, 512, 1024, 1024, 2048]);
    expect(length(BODY_MAX_BYTES)).toBe(65_536);
    expect(BODY_MAX_BYTES).toBe(64_168);
    expect(codeOf(() => length(BODY_MAX_BYTES + 1))).toBe('message-too-large');
  });

  it('takes the longest body in the first envelope, too', () => {
    const { guest, flight } = pair('longest');
    expect(encrypt(guest, new Uint8Array(BODY_MAX_BYTES), seeded('x'), 0, flight).message).toHaveLength(65_536);
  });

  it('comes back from its packed form in every stage', () => {
    const { a, b } = sides('packed');
    b.send('lost');
    a.send('lost');
    b.receive(a.send('x'));
    a.receive(b.send('y'));
    a.send('lost');
    b.receive(a.send('z'));
    const { a: waiting, b: answering } = begun('packed later');
    waiting.receive(answering.send('a piece'));
    const sessions = [pair('fresh').guest, a.session, b.session, waiting.session, answering.session];
    expect(sessions.map(({ braid }) => braid.step.at)).toEqual(['idle', 'offering', 'collecting', 'waiting', 'answering']);
    for (const session of sessions) {
      const { transcript, resumption, root, nextHeaderKey, sending, receiving, past, skipped, braid } = unpackSession(packSession(session));
      expect(packSession(pack({ transcript, resumption, root, nextHeaderKey, sending, receiving, past, skipped, braid }))).toEqual(packSession(session));
    }
    expect(b.session.skipped).toHaveLength(2);
    expect(packSession(b.session)).toHaveLength(181 + 107 + 36 + 2 * 46 + 1216 + 76);
    expect(packSession(answering.session)).toHaveLength(181 + 132 + 107 + 36 + 1120 + 1 + 64);
  });

  it('does not unpack with more past chains or waiting keys than it may have', () => {
    const { b } = sides('too many');
    const past = Array.from({ length: 6 }, (_, ordinal) => ({ ordinal, headerKey: new Uint8Array(32) }));
    expect(codeOf(() => b.session.with({ past }))).toBe('malformed');
    const skipped = Array.from({ length: 2_001 }, (_, n) => ({ chain: 0, n, key: new Uint8Array(32), storedAt: 0 }));
    expect(codeOf(() => b.session.with({ skipped }))).toBe('malformed');
    expect(unpackSession(packSession(b.session.with({ past: past.slice(1), skipped: skipped.slice(1) }))).skipped).toHaveLength(2_000);
  });

  it('leaves a step the bytes that it was given, and makes of them memory of its own', () => {
    const { a, b } = sides('memory');
    a.send('lost');
    b.receive(a.send('x'));
    for (const step of [() => b.send('y'), () => b.receive(a.send('z'))]) {
      const before = b.session;
      const bytesBefore = packSession(before).slice();
      step();
      expect(packSession(before)).toEqual(bytesBefore);
      const [old, packed] = [packSession(before), packSession(b.session)];
      const endOf = ({ byteOffset, length }: Uint8Array) => byteOffset + length;
      expect(packed.buffer !== old.buffer || packed.byteOffset >= endOf(old) || endOf(packed) <= old.byteOffset).toBe(true);
      for (const { key } of b.session.skipped) expect([key.buffer === packed.buffer, key.byteOffset >= packed.byteOffset, endOf(key) <= endOf(packed)]).toEqual([true, true, true]);
    }
  });
});

describe('attacks', () => {
  it('an altered message changes nothing, and the true one opens after it', () => {
    const { a, b } = sides('altered');
    b.receive(a.send('x'));
    a.receive(b.send('new chain for a'));
    a.send('passed over');
    const message = a.send('true');
    for (const at of [0, 23, 24, 60, 83, 84, 300, message.length - 1]) {
      expect(b.refusal(message.with(at, message[at]! ^ 1))).toBe('undecryptable');
    }
    expect(b.refusal(message.subarray(0, -1))).toBe('undecryptable');
    expect(b.receive(message)).toBe('true');
  });

  it('a late message that is altered keeps its key for the true one', () => {
    const { a, b } = sides('late altered');
    const late = a.send('late');
    b.receive(a.send('x'));
    expect(b.refusal(late.with(200, late[200]! ^ 1))).toBe('undecryptable');
    expect(b.receive(late)).toBe('late');
  });

  it('any number of bad frames leaves the session alive', () => {
    const { a, b } = sides('bad frames');
    const noise = seeded('noise');
    for (let i = 0; i < 300; i++) b.refusal(noise(512));
    expect(b.receive(a.send('alive'))).toBe('alive');
  });

  it('a repeated message is a duplicate, in its chain and after it', () => {
    const { a, b } = sides('repeated');
    const message = a.send('once');
    expect(b.receive(message)).toBe('once');
    expect(b.refusal(message)).toBe('duplicate');
    a.receive(b.send('back'));
    b.receive(a.send('next chain'));
    expect(b.refusal(message)).toBe('duplicate');
  });

  it('a late message opens once', () => {
    const { a, b } = sides('late once');
    const late = a.send('late');
    b.receive(a.send('x'));
    expect(b.receive(late)).toBe('late');
    expect(b.refusal(late)).toBe('duplicate');
  });

  it('a sender whose state was rolled back is noticed, and its nonce is a new one', () => {
    const { a, b } = sides('rolled back');
    const before = a.session;
    const first = a.send('first');
    a.session = before;
    const second = a.send('other words');
    expect(equal(first.subarray(0, 24), second.subarray(0, 24))).toBe(false);
    b.receive(first);
    expect(b.refusal(second)).toBe('duplicate');
  });

  it('a message of one session does not open in another of the same two', () => {
    const random = seeded('two sessions');
    const guest = createIdentity(random);
    const host = createIdentity(random);
    const [one, two] = [1, 2].map(() => {
      const { link, card, secret } = invite(random, { identity: host });
      const { session, flight } = initiate(guest, openCard(parseLink(link), card, 0), random);
      return { guest: session, host: respond(host, secret, flight).session };
    });
    expect(sessionId(one!.guest)).not.toEqual(sessionId(two!.guest));
    const { message } = encrypt(one!.guest, bytes('x'), random, 0);
    expect(codeOf(() => decrypt(two!.host, message, random, 0))).toBe('undecryptable');
    const bound = unpackSession(packSession(one!.host).slice());
    bound.transcript.set(two!.host.transcript);
    expect(codeOf(() => decrypt(bound, message, random, 0))).toBe('undecryptable');
  });

  it('a message does not open on the side that sent it', () => {
    const { a } = sides('reflected');
    expect(a.refusal(a.send('x'))).toBe('undecryptable');
  });

  it('a ratchet key of low order, another key within a chain, and a header of a later version are refused', () => {
    const { a, b } = sides('crafted');
    const random = seeded('craft');
    expect(b.refusal(craft(a.session, random, { dh: new Uint8Array(32).fill(9) }))).toBe('undecryptable');
    expect(b.refusal(craft(a.session, random, { flags: 1 }))).toBe('undecryptable');
    a.receive(b.send('so that a begins a chain'));
    a.begin();
    expect(b.refusal(craft(a.session, random, { dh: new Uint8Array(32) }))).toBe('undecryptable');
    expect(b.receive(craft(a.session, random, {}))).toBe('');
  });

  it('a chain upon one that has not begun is refused: nobody can have seen its key', () => {
    const { a, b } = sides('early chain');
    b.receive(a.send('x'));
    const { nextHeaderKey, transcript, hasBegun } = b.session;
    expect(hasBegun).toBe(false);
    const nonce = seeded('early')(24);
    const header = new Writer(44).bytes(x25519PublicKey(seeded('key')(32))).bytes(new Uint8Array(12)).finish();
    expect(b.refusal(concat(nonce, seal(nextHeaderKey, nonce, header, transcript), seeded('body')(428)))).toBe('undecryptable');
    expect(b.receive(a.send('true'))).toBe('true');
  });

  it('a plaintext that says more than it holds, and a message longer than any envelope, are refused', () => {
    const { a, b } = sides('plaintext');
    const random = seeded('plaintext');
    for (const plaintext of [[], [0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 1, ...new Uint8Array(16)], [0, 0, 0, 0, 1], [0, 1, 0, 0, 7, 1]]) {
      expect(b.refusal(craft(a.session, random, { plaintext: Uint8Array.from(plaintext) }))).toBe('undecryptable');
    }
    expect(b.refusal(craft(a.session, random, { plaintext: new Uint8Array(65_536 - 99) }))).toBe('undecryptable');
    expect(b.receive(craft(a.session, random, { plaintext: new Uint8Array(65_536 - 100) }))).toBe('');
  });

  it('a counter beyond what a chain may have is refused, in the chain and for the chain before', () => {
    const { a, b } = sides('counter');
    const random = seeded('counter');
    expect(b.refusal(craft(a.session, random, { n: 10_001 }))).toBe('undecryptable');
    expect(b.refusal(craft(a.session, random, { n: 0xffffffff }))).toBe('undecryptable');
    a.receive(b.send('x'));
    a.begin();
    expect(b.refusal(craft(a.session, random, { previous: 0xffffffff }))).toBe('undecryptable');
    expect(b.receive(a.send('true'))).toBe('true');
  });
});

describe('limits', () => {
  it('a sender stops after 10,000 messages without an answer, and the last of them is enough to go on', () => {
    const { a, b } = sides('exhausted');
    let last = a.send('first');
    // pair() has sent number 0, and `last` is number 1.
    for (let n = 2; n < 10_000; n++) last = a.send(`${n}`);
    expect(codeOf(() => a.send('one too many'))).toBe('session-exhausted');
    expect(b.receive(last)).toBe('9999');
    expect(b.session.skipped).toHaveLength(1_000);
    expect(a.receive(b.send('answer'))).toBe('answer');
    expect(b.receive(a.send('on we go'))).toBe('on we go');
  });

  it('of a gap the newest 1,000 keys are kept', () => {
    const { a, b } = sides('gap');
    const sent = Array.from({ length: 1_003 }, (_, i) => a.send(`${i}`));
    expect(b.receive(sent[1_002]!)).toBe('1002');
    expect(b.refusal(sent[1]!)).toBe('duplicate');
    expect(b.receive(sent[2]!)).toBe('2');
    expect(b.receive(sent[1_001]!)).toBe('1001');
  });

  it('of several gaps the newest 2,000 keys are kept', () => {
    const { a, b } = sides('gaps');
    const sent = Array.from({ length: 2_404 }, (_, i) => a.send(`${i}`));
    for (const n of [801, 1602, 2403]) b.receive(sent[n]!);
    expect(b.session.skipped).toHaveLength(2_000);
    expect(b.refusal(sent[400]!)).toBe('duplicate');
    expect(b.receive(sent[401]!)).toBe('401');
    expect(b.receive(sent[2_402]!)).toBe('2402');
    expect(unpackSession(packSession(b.session))).toEqual(b.session);
  });

  it('a key waits for 30 days, and sending forgets it, too', () => {
    const { a, b } = sides('age');
    const late = [a.send('late 0'), a.send('late 1')];
    b.receive(a.send('x'), 1_000);
    expect(b.receive(late[0]!, 1_000 + 30 * DAY_MS)).toBe('late 0');
    b.send('y', 1_000 + 30 * DAY_MS);
    expect(b.session.skipped).toHaveLength(1);
    b.send('y', 1_001 + 30 * DAY_MS);
    expect(b.session.skipped).toHaveLength(0);
    expect(b.refusal(late[1]!)).toBe('duplicate');
  });

  it('a key that is too old does not open, even if nothing was done in between', () => {
    const { a, b } = sides('too old');
    const late = a.send('late');
    b.receive(a.send('x'), 0);
    expect(b.refusal(late, 30 * DAY_MS + 1)).toBe('duplicate');
  });
});
