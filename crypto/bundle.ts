// What an invitation says once its card is open: who invites, with which one-time keys, until when, and where to answer
// (PROTOCOL.md §3.2). Signed by the inviter; everything in it was chosen by whoever made it, so it is read as a stranger's.

import { concat, Reader, text, utf8, Writer } from './bytes.js';
import { checkDevices } from './devices.js';
import { SottoError } from './error.js';
import { hash } from './hash.js';
import { isName } from './name.js';
import { relayOrigin } from './origin.js';
import { type Identity, packPublicIdentity, PUBLIC_IDENTITY_BYTES, type PublicIdentity, unpackPublicIdentity } from './identity.js';
import { sign, verify } from './signature.js';
import { SIGNATURE_BYTES, XWING_PUBLIC_BYTES } from './sodium.js';

/** The one suite so far: X25519, X-Wing, Ed25519, XChaCha20-Poly1305, BLAKE2b. */
export const SUITE = 1;

/** The flags of a bundle: none, or that its card serves everybody (PROTOCOL.md §3.2). */
const FLAGS_ONE_TIME = 0;
const FLAGS_REUSABLE = 1;
const LABEL = 'bundle';

/** What is signed, without name, relay and device list. */
const FIXED_BYTES = 1 + 1 + PUBLIC_IDENTITY_BYTES + 32 + XWING_PUBLIC_BYTES + 6 + 16 + 16 + 1 + 1 + 2;

/** What the inviter signs. */
export interface BundleContents {
  readonly identity: PublicIdentity;
  /** The inviter's devices, as packDevices() writes them. */
  readonly devices: Uint8Array;
  /** Whether the keys serve everybody who has the link (an address, §3.5), or one guest alone. */
  readonly reusable: boolean;
  /** What the inviter calls themselves, 1 to 64 bytes of UTF-8 without control characters. */
  readonly name: string;
  /** Origin of the relay where the inviter collects the answer. */
  readonly relay: string;
  /** 16 bytes. */
  readonly mailbox: Uint8Array;
  /** 16 bytes, the mailbox's send token. */
  readonly token: Uint8Array;
  /** X25519 public key of this card alone, 32 bytes. */
  readonly spk: Uint8Array;
  /** X-Wing public key of this card alone, 1216 bytes. */
  readonly pq: Uint8Array;
  /** ms since 1970. */
  readonly expiresAt: number;
}

/** The signed bundle. Throws `name-invalid` or `relay-url-invalid`. */
export function packBundle(contents: BundleContents & { readonly identity: Identity }): Uint8Array {
  const name = utf8(contents.name);
  if (!isName(contents.name)) throw new SottoError('name-invalid');
  const relay = utf8(relayOrigin(contents.relay));
  const signed = new Writer(FIXED_BYTES + name.length + relay.length + contents.devices.length)
    .number(SUITE, 1)
    .number(contents.reusable ? FLAGS_REUSABLE : FLAGS_ONE_TIME, 1)
    .bytes(packPublicIdentity(contents.identity))
    .bytes(contents.spk)
    .bytes(contents.pq)
    .number(contents.expiresAt, 6)
    .bytes(contents.mailbox)
    .bytes(contents.token)
    .number(name.length, 1)
    .bytes(name)
    .number(relay.length, 1)
    .bytes(relay)
    .number(contents.devices.length, 2)
    .bytes(contents.devices)
    .finish();
  return concat(signed, sign(contents.identity.edSeed, LABEL, signed));
}

/** Reads packBundle(…) and checks its signature and that of the device list. Throws a SottoError for anything wrong. */
export function unpackBundle(packed: Uint8Array): BundleContents {
  const reader = new Reader(packed);
  reader.expect(SUITE);
  const flags = reader.number(1);
  if (flags !== FLAGS_ONE_TIME && flags !== FLAGS_REUSABLE) throw new SottoError('malformed');
  const contents = {
    reusable: flags === FLAGS_REUSABLE,
    identity: unpackPublicIdentity(reader.bytes(PUBLIC_IDENTITY_BYTES)),
    spk: reader.bytes(32),
    pq: reader.bytes(XWING_PUBLIC_BYTES),
    expiresAt: reader.number(6),
    mailbox: reader.bytes(16),
    token: reader.bytes(16),
    name: text(reader.bytes(reader.number(1))),
    relay: relayOrigin(text(reader.bytes(reader.number(1)))),
    devices: reader.bytes(reader.number(2)),
  };
  const signature = reader.bytes(SIGNATURE_BYTES);
  reader.end();
  const signed = packed.subarray(0, packed.length - SIGNATURE_BYTES);
  if (!isName(contents.name) || !verify(contents.identity.ed, LABEL, signed, signature)) throw new SottoError('malformed');
  checkDevices(contents.devices, contents.identity, null);
  return contents;
}

/** 32 bytes that stand for every byte of a bundle. */
export function bundleHash(packed: Uint8Array): Uint8Array {
  return hash(LABEL, packed);
}
