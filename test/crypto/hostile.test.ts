// Whatever comes from outside, in any form: every decoder answers with a documented code and changes nothing.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAddress, createWeekCard, parseAnyLink, WEEK_MS } from '../../crypto/address.js';
import { CHUNK_BYTES, createArchive, openChunk, readArchiveHeader, sealChunk } from '../../crypto/archive.js';
import { fromBase64url, fromHex, text, toHex } from '../../crypto/bytes.js';
import { firstDevices, unpackDevices } from '../../crypto/devices.js';
import { type ErrorCode, SottoError } from '../../crypto/error.js';
import { FLIGHT_BYTES, respond } from '../../crypto/handshake.js';
import { createIdentity, identityId, packIdentity, packPublicIdentity, unpackIdentity, unpackPublicIdentity } from '../../crypto/identity.js';
import { CARD_BYTES, openCard, packInvitation, parseLink, unpackInvitation } from '../../crypto/invitation.js';
import { openKey, sealKey } from '../../crypto/passphrase.js';
import { createReset, openReset, openResumption, packPendingReset, type Reset, sealResumption, unpackPendingReset } from '../../crypto/reset.js';
import { decrypt, encrypt, packSession, unpackSession } from '../../crypto/session.js';
import { ready } from '../../crypto/sodium.js';
import { bytes, initiate, invite, pair, seeded } from './support.js';

await ready();

const random = seeded('hostile');
const host = invite(random);
const link = parseLink(host.link);
const { flight } = initiate(createIdentity(random), openCard(link, host.card, 0), random);
const { guest, inviter } = pair('hostile');
const first = encrypt(guest, bytes('first'), random, 0);
const second = encrypt(first.session, bytes('second'), random, 0);
const { session: waiting } = decrypt(inviter, second.message, random, 0);
const kek = random(32);
const address = createAddress('https://relay.example', host.identity, random);
const terms = { identity: host.identity, devices: firstDevices(host.identity, 0), name: 'Bea', relay: 'https://relay.example', mailbox: random(16), token: random(16), expiresAt: 2 * WEEK_MS };
const week = createWeekCard(terms, address.linkKey, 1, random);
const [rs, maker] = [random(32), identityId(host.identity)];
const reset = createReset(terms, { resumption: rs, reason: 'restored', madeAt: 1, first: 1 }, random);
const standing = sealResumption(rs, maker, { type: 'standing', asks: true, received: { chain: 1, next: 2, key: random(32) } }, random);
const archive = createArchive({ kind: 'recovery-key' }, random(32), random);

/** What the maker has said past the session. */
function hear(envelope: Uint8Array): unknown {
  const opened = openResumption([rs], maker, envelope);
  if (opened === null) throw new SottoError('undecryptable');
  return opened;
}

/** Each decoder of bytes: something that it accepts, and the codes that it may refuse with. */
const decoders: Record<string, { readonly valid: Uint8Array; readonly decode: (input: Uint8Array) => unknown; readonly codes: readonly ErrorCode[] }> = {
  openCard: { valid: host.card, decode: (card) => openCard(link, card, 0), codes: ['card-invalid'] },
  'openCard of an address': { valid: week.card, decode: (card) => openCard(parseAnyLink(address.link, WEEK_MS), card, WEEK_MS), codes: ['card-invalid'] },
  unpackIdentity: { valid: packIdentity(host.identity), decode: unpackIdentity, codes: ['malformed'] },
  unpackPublicIdentity: { valid: packPublicIdentity(host.identity), decode: unpackPublicIdentity, codes: ['malformed'] },
  unpackDevices: { valid: firstDevices(host.identity, 1), decode: (packed) => unpackDevices(packed, host.identity), codes: ['malformed'] },
  unpackInvitation: { valid: packInvitation(host.secret), decode: unpackInvitation, codes: ['malformed'] },
  unpackSession: { valid: packSession(waiting), decode: unpackSession, codes: ['malformed'] },
  respond: { valid: flight, decode: (input) => respond(host.identity, host.secret, input), codes: ['undecryptable'] },
  decrypt: { valid: first.message, decode: (message) => decrypt(waiting, message, random, 0), codes: ['undecryptable', 'duplicate'] },
  'openResumption of a reset': { valid: reset.envelope, decode: hear, codes: ['undecryptable'] },
  'openResumption of a standing': { valid: standing, decode: hear, codes: ['undecryptable'] },
  openReset: { valid: (openResumption([rs], maker, reset.envelope)!.said as Reset).bundle, decode: (bundle) => openReset({ type: 'reset', reason: 'restored', madeAt: 1, first: 1, bundle }, rs, 0), codes: ['malformed', 'relay-url-invalid'] },
  unpackPendingReset: { valid: packPendingReset({ madeAt: 1, ...reset }), decode: unpackPendingReset, codes: ['malformed'] },
  readArchiveHeader: { valid: archive.header, decode: readArchiveHeader, codes: ['backup-invalid'] },
  openChunk: { valid: sealChunk(archive.key, 0, true, new Uint8Array(CHUNK_BYTES)), decode: (chunk) => openChunk(archive.key, 0, true, chunk), codes: ['backup-invalid'] },
  openKey: { valid: sealKey(random(32), kek, random), decode: (sealed) => openKey(sealed, kek), codes: ['passphrase-wrong', 'malformed'] },
  text: { valid: bytes('Grüße'), decode: text, codes: ['malformed'] },
};

/** Decoders of what somebody has sealed or signed: no bit of it may be another. */
const SEALED = /^(decrypt|respond|open\w+|readArchiveHeader)\b/;

/** True if it was accepted, false if it was refused with one of the codes. */
function accepts(decode: () => unknown, codes: readonly ErrorCode[]): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (!(error instanceof SottoError)) throw error;
    expect(codes).toContain(error.code);
    return false;
  }
}

describe.each(Object.entries(decoders))('%s', (name, { valid, decode, codes }) => {
  const before = toHex(valid);
  const state = [packSession(waiting), packInvitation(host.secret), packIdentity(host.identity)].map(toHex);

  function probe(input: Uint8Array): boolean {
    const copy = toHex(input);
    const accepted = accepts(() => decode(input), codes);
    expect(toHex(input)).toBe(copy);
    expect([packSession(waiting), packInvitation(host.secret), packIdentity(host.identity)].map(toHex)).toEqual(state);
    return accepted;
  }

  it('accepts what is right, and leaves it as it was', () => {
    expect(probe(valid)).toBe(true);
    expect(toHex(valid)).toBe(before);
  });

  it('answers any bytes with a documented code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2 * FLIGHT_BYTES }), (input) => {
        probe(input);
      }),
      { numRuns: 100 },
    );
  });

  it('refuses every shorter form', () => {
    fc.assert(
      fc.property(fc.nat(valid.length - 1), (length) => {
        const accepted = probe(valid.subarray(0, length));
        // A shorter text may be a text.
        if (name !== 'text') expect(accepted).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  it('refuses trailing bytes', () => {
    if (name !== 'text') expect(probe(new Uint8Array([...valid, 0]))).toBe(false);
  });

  it('answers any changed bit with a documented code', () => {
    fc.assert(
      fc.property(fc.nat(valid.length * 8 - 1), (bit) => {
        const accepted = probe(valid.with(bit >> 3, valid[bit >> 3]! ^ (1 << (bit & 7))));
        if (SEALED.test(name)) expect(accepted).toBe(false);
      }),
      { numRuns: 100 },
    );
  });
});

describe('decoders of text', () => {
  const anyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.webUrl({ withFragments: true }), fc.nat(host.link.length).map((at) => host.link.slice(0, at) + host.link.slice(at + 1)));

  it('answer any text with a documented code', () => {
    fc.assert(
      fc.property(anyText, (input) => {
        accepts(() => parseLink(input), ['link-invalid']);
        accepts(() => parseAnyLink(input.replace('/i#', '/a#'), 0), ['link-invalid']);
        accepts(() => fromHex(input), ['malformed']);
        accepts(() => fromBase64url(input), ['malformed']);
      }),
      { numRuns: 500 },
    );
  });
});

describe('messages from nobody', () => {
  it('of every length are refused', () => {
    for (const length of [0, 1, 99, 100, 101, 512, 4096, CARD_BYTES, 65_536, 65_537, 200_000]) {
      expect(accepts(() => decrypt(waiting, new Uint8Array(length), random, 0), ['undecryptable'])).toBe(false);
    }
  });
});
