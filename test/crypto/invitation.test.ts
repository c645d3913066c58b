import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packBundle, unpackBundle } from '../../crypto/bundle.js';
import { relayOrigin } from '../../crypto/origin.js';
import { concat, fromBase64url, toBase64url } from '../../crypto/bytes.js';
import { firstDevices } from '../../crypto/devices.js';
import { derive } from '../../crypto/hash.js';
import { createIdentity, identityId } from '../../crypto/identity.js';
import { CARD_BYTES, createInvitation, openCard, packInvitation, parseLink, unpackInvitation } from '../../crypto/invitation.js';
import { pad } from '../../crypto/padding.js';
import { ready, seal, x25519PublicKey, xwingPublicKey } from '../../crypto/sodium.js';
import { identity as secondIdentity } from '../oracle/identity.js';
import { invite as secondInvite } from '../oracle/invitation.js';
import { sign } from '../oracle/notation.js';
import { codeOf, invite, seeded } from './support.js';

const terms = { name: 'Bea', relay: 'https://relay.example', mailbox: new Uint8Array(16).fill(1), token: new Uint8Array(16).fill(2), expiresAt: 1_700_000_000_123 };

await ready();

describe('an invitation', () => {
  it('tells the guest everything that the inviter put in', () => {
    const { identity, link, card, lookup, secret } = invite(seeded('invite'), { ...terms, name: 'Béa \u{1F44B}' });
    const parsed = parseLink(link);
    expect(parsed.relay).toBe('https://relay.example');
    expect(parsed.lookup).toEqual(lookup);
    const bundle = openCard(parsed, card, terms.expiresAt - 1);
    expect(bundle).toMatchObject({ ...terms, name: 'Béa \u{1F44B}', identity: { ed: identity.ed, x: identity.x }, psk: secret.psk, hash: secret.bundleHash });
    expect(bundle.spk).toEqual(x25519PublicKey(secret.spkSecret));
    expect(bundle.pq).toEqual(xwingPublicKey(secret.pqSeed));
  });

  it('is byte for byte what a second implementation makes of the same randomness', () => {
    const identity = createIdentity(seeded('host'));
    const ours = createInvitation({ ...terms, identity, devices: firstDevices(identity, 0) }, seeded('draw'));
    const theirs = secondInvite(secondIdentity(seeded('host')), terms, seeded('draw'));
    expect(ours).toEqual(theirs);
  });

  it('has a card of one length, whatever it says', () => {
    expect(CARD_BYTES).toBe(2088);
    const long = `https://${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(54)}`;
    for (const overrides of [{ name: 'x', relay: 'http://h' }, { name: 'ü'.repeat(32), relay: long }]) {
      const { card, link } = invite(seeded('length'), overrides);
      expect(card).toHaveLength(CARD_BYTES);
      expect(openCard(parseLink(link), card, 0)).toMatchObject(overrides);
    }
  });

  it('has a link of 100 characters for a host of 23', () => {
    expect(invite(seeded('link'), { relay: `https://${'r'.repeat(15)}.example` }).link).toHaveLength(100);
  });

  it('expires at its time, not before', () => {
    const { link, card } = invite(seeded('expiry'), terms);
    expect(openCard(parseLink(link), card, terms.expiresAt - 1).expiresAt).toBe(terms.expiresAt);
    expect(codeOf(() => openCard(parseLink(link), card, terms.expiresAt))).toBe('invitation-expired');
  });

  it('comes back from its packed form', () => {
    const { secret } = invite(seeded('pack'));
    expect(packInvitation(secret)).toHaveLength(161);
    expect(unpackInvitation(packInvitation(secret))).toEqual(secret);
    expect(codeOf(() => unpackInvitation(concat(packInvitation(secret), Uint8Array.of(0))))).toBe('malformed');
  });

  it.each(['', 'x'.repeat(65), 'ü'.repeat(33), 'a\nb', 'a\u001b[2J', 'a\u2028b'])('refuses the name %j', (name) => {
    expect(codeOf(() => invite(seeded('name'), { name }))).toBe('name-invalid');
  });
});

describe('a link', () => {
  const { link } = invite(seeded('parse'));
  const fragment = link.split('#')[1]!;

  it('may be pasted with white space around it', () => {
    expect(parseLink(`\n  ${link}\t`)).toEqual(parseLink(link));
  });

  it.each([
    ['nothing', ''],
    ['no relay', `/i#${fragment}`],
    ['another scheme', `ftp://relay.example/i#${fragment}`],
    ['a path', `https://relay.example/x/i#${fragment}`],
    ['a user', `https://me@relay.example/i#${fragment}`],
    ['a query', `https://relay.example?q/i#${fragment}`],
    ['a missing character', link.slice(0, -1)],
    ['a character too many', `${link}A`],
    ['another link behind it', link + link],
    ['another fragment behind it', `${link}/i#${fragment}`],
    ['another version', `https://relay.example/i#${toBase64url(fromBase64url(fragment).with(0, 2))}`],
    ['an impossible port', `https://relay.example:99999/i#${fragment}`],
  ])('is refused with %s', (_, text) => {
    expect(codeOf(() => parseLink(text))).toBe('link-invalid');
  });

  it('names its relay in the normal form', () => {
    expect(parseLink(`HTTPS://Relay.Example:443/i#${fragment}`).relay).toBe('https://relay.example');
    expect(relayOrigin('http://127.0.0.1:8080/')).toBe('http://127.0.0.1:8080');
    expect(relayOrigin('http://[::1]:8080')).toBe('http://[::1]:8080');
    for (const wrong of ['', 'relay.example', 'ws://relay.example', 'https://relay.example/i', 'https://', `https://${'a.'.repeat(130)}example`]) {
      expect(codeOf(() => relayOrigin(wrong))).toBe('relay-url-invalid');
    }
  });
});

/** A list of one device. */
const DEVICES_BYTES = 179;

describe('a card', () => {
  const random = seeded('card');
  const { link, card, identity } = invite(random);
  const parsed = parseLink(link);

  it('is refused when any one bit of it is changed', () => {
    fc.assert(
      fc.property(fc.nat(CARD_BYTES * 8 - 1), (bit) => {
        const changed = card.with(bit >> 3, card[bit >> 3]! ^ (1 << (bit & 7)));
        expect(codeOf(() => openCard(parsed, changed, 0))).toBe('card-invalid');
      }),
    );
  });

  /** What a relay that has learnt the link could seal in place of the card. */
  function forge(packed: Uint8Array, length = 2048): Uint8Array {
    const nonce = random(24);
    return concat(nonce, seal(derive(parsed.linkKey, 'card').left, nonce, pad(packed, length), parsed.lookup));
  }

  const contents = { ...terms, devices: firstDevices(identity, 0), reusable: false, spk: x25519PublicKey(new Uint8Array(32).fill(1)), pq: xwingPublicKey(new Uint8Array(32)) };

  it('is refused when it carries another identity, even sealed under the link key', () => {
    const mallory = createIdentity(random);
    expect(codeOf(() => openCard(parsed, forge(packBundle({ ...contents, identity: mallory, devices: firstDevices(mallory, 0) })), 0))).toBe('card-invalid');
    // The same by the right identity is accepted: the identity was what failed.
    expect(openCard(parsed, forge(packBundle({ ...contents, identity })), 0).name).toBe('Bea');
  });

  it('is refused when it has another length, even sealed under the link key', () => {
    for (const length of [2047, 2049]) expect(codeOf(() => openCard(parsed, forge(packBundle({ ...contents, identity }), length), 0))).toBe('card-invalid');
  });

  it('is refused when its keys are exchanged under the signature', () => {
    const packed = packBundle({ ...contents, identity });
    for (const at of [0, 1, 2, 34, 66, 98, 1314, 1320, 1336, 1353, 1357, packed.length - 1]) {
      const changed = packed.with(at, packed[at]! ^ 1);
      expect(codeOf(() => openCard(parsed, forge(changed), 0)), `byte ${at}`).toBe('card-invalid');
    }
    expect(codeOf(() => openCard(parsed, forge(concat(packed, Uint8Array.of(0))), 0))).toBe('card-invalid');
  });

  it.each([
    ['another suite', (fields: Uint8Array) => fields.with(0, 2)],
    ['the flag of an address', (fields: Uint8Array) => fields.with(1, 1)],
    ['unknown flags', (fields: Uint8Array) => fields.with(1, 2)],
    ['a name that speaks to a terminal', (fields: Uint8Array) => fields.with(1353, 0x1b)],
    ['a relay that is no origin', (fields: Uint8Array) => fields.with(fields.length - DEVICES_BYTES - 3, 0x3f)],
    ['a device list that the inviter has not signed', (fields: Uint8Array) => fields.with(fields.length - 1, fields.at(-1)! ^ 1)],
    ['the device list of another', (fields: Uint8Array) => concat(fields.slice(0, -DEVICES_BYTES), firstDevices(createIdentity(random), 0))],
    ['bytes behind its fields', (fields: Uint8Array) => concat(fields, Uint8Array.of(0))],
  ])('is refused with %s, even if the inviter signed it', (_, change) => {
    const resigned = (fields: Uint8Array) => concat(fields, sign(identity.edSeed, 'bundle', fields));
    const fields = packBundle({ ...contents, name: 'ab', relay: 'http://h.example.x', identity }).subarray(0, -64);
    expect(unpackBundle(resigned(fields)).name).toBe('ab');
    expect(codeOf(() => openCard(parsed, forge(resigned(change(fields))), 0))).toBe('card-invalid');
  });

  it('does not open with the link of another invitation', () => {
    const other = invite(random, { identity });
    expect(identityId(identity)).toEqual(parseLink(other.link).idHash);
    expect(codeOf(() => openCard(parseLink(other.link), card, 0))).toBe('card-invalid');
  });
});
