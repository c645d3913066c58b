// The header of a ratchet message: sealed, so that nobody outside sees keys or counters, and checked before anything else is
// done, so that what a stranger sends costs a few short decryptions and nothing more (PROTOCOL.md §5.1).

import { Reader, Writer } from '../bytes.js';
import { open, sealInPlace, TAG_BYTES } from '../sodium.js';

/** 32 bytes that seal the headers of one chain. */
export type HeaderKey = Uint8Array & { readonly brand?: 'HeaderKey' };

/** Where a message stands. */
export interface Header {
  /** The sender's X25519 ratchet key, 32 bytes. */
  readonly dh: Uint8Array;
  /** Messages in the sender's chain before this one. */
  readonly previous: number;
  /** Number of the message in its chain, from 0. */
  readonly n: number;
  /** Post-quantum epochs that are in the root of the chain. */
  readonly epoch: number;
}

const HEADER_BYTES = 44;

/** Length of a sealed header. */
export const SEALED_HEADER_BYTES = HEADER_BYTES + TAG_BYTES;

/** For later versions: a receiver that does not know a value must not guess. */
const FLAGS = 0;

/** Writes a header into `room`, SEALED_HEADER_BYTES long, and seals it. `transcript` binds it to its session. */
export function sealHeader(key: HeaderKey, nonce: Uint8Array, transcript: Uint8Array, header: Header, room: Uint8Array): void {
  const { dh, previous, n, epoch } = header;
  new Writer(room).bytes(dh).number(previous, 4).number(n, 4).number(FLAGS, 1).number(epoch, 3);
  sealInPlace(key, nonce, room, transcript);
}

/** The header, or null if this key did not seal it for this session, or a later version did. */
export function openHeader(key: HeaderKey, nonce: Uint8Array, transcript: Uint8Array, sealed: Uint8Array): Header | null {
  const plain = open(key, nonce, sealed, transcript);
  if (plain === null) return null;
  const reader = new Reader(plain);
  const dh = reader.bytes(32);
  const previous = reader.number(4);
  const n = reader.number(4);
  const flags = reader.number(1);
  const epoch = reader.number(3);
  return flags === FLAGS ? { dh, previous, n, epoch } : null;
}
