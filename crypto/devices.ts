// The devices of an identity: a signed list, each version of which names the one before it, so that nobody can add a device in the
// name of another or bring an old list back (PROTOCOL.md §2.2). So far a list has one device, whose keys are those of the identity.
// It must never know where a list travels or who keeps it.

import { concat, equal, Reader, Writer } from './bytes.js';
import { SottoError } from './error.js';
import { hash } from './hash.js';
import type { Identity, PublicIdentity } from './identity.js';
import { sign, verify } from './signature.js';
import { SIGNATURE_BYTES } from './sodium.js';

/** Most devices of one identity: each is sealed to on its own. */
export const DEVICES_MAX = 5;

const LABEL = 'devices';
const ID_BYTES = 8;
const HASH_BYTES = 32;
const DEVICE_BYTES = ID_BYTES + 32 + 32 + 6;

/** One device of an identity. */
export interface Device {
  /** 8 bytes. */
  readonly id: Uint8Array;
  /** Ed25519 public key, 32 bytes. */
  readonly ed: Uint8Array;
  /** X25519 public key, 32 bytes. */
  readonly x: Uint8Array;
  /** ms since 1970. */
  readonly addedAt: number;
}

/** One version of an identity's list. */
export interface DeviceList {
  /** From 1. */
  readonly version: number;
  /** devicesHash of the version before; zeros in the first. */
  readonly previous: Uint8Array;
  /** 1 to DEVICES_MAX, in ascending order of their ids. */
  readonly devices: readonly Device[];
}

/** The first list of an identity: one device with its own keys. The same for the same identity and time. */
export function firstDevices(identity: Identity, addedAt: number): Uint8Array {
  const { ed, x } = identity;
  return packDevices(identity, { version: 1, previous: new Uint8Array(HASH_BYTES), devices: [{ id: ownDeviceId(identity), ed, x, addedAt }] });
}

/** The id of the device that has the identity's own keys. */
function ownDeviceId({ ed, x }: PublicIdentity): Uint8Array {
  return hash('device', ed, x).slice(0, ID_BYTES);
}

/** The signed list: version u32 | hash of the one before 32 | count u8 | devices, 78 each | signature 64. */
export function packDevices(identity: Identity, { version, previous, devices }: DeviceList): Uint8Array {
  const writer = new Writer(4 + HASH_BYTES + 1 + devices.length * DEVICE_BYTES).number(version, 4).bytes(previous).number(devices.length, 1);
  for (const { id, ed, x, addedAt } of devices) writer.bytes(id).bytes(ed).bytes(x).number(addedAt, 6);
  const signed = writer.finish();
  return concat(signed, sign(identity.edSeed, LABEL, signed));
}

/** Reads packDevices(…) and checks that this identity has signed it and is in it: its Ed25519 key alone is not the identity. Throws `malformed`. */
export function unpackDevices(packed: Uint8Array, identity: PublicIdentity): DeviceList {
  const reader = new Reader(packed);
  const version = reader.number(4);
  const previous = reader.bytes(HASH_BYTES);
  const count = reader.number(1);
  if (count > DEVICES_MAX) throw new SottoError('malformed');
  const devices = Array.from({ length: count }, () => ({ id: reader.bytes(ID_BYTES), ed: reader.bytes(32), x: reader.bytes(32), addedAt: reader.number(6) }));
  const signature = reader.bytes(SIGNATURE_BYTES);
  reader.end();
  const isFirst = equal(previous, new Uint8Array(HASH_BYTES));
  const isOrdered = devices.every(({ id }, index) => index === 0 || isBelow(devices[index - 1]!.id, id));
  const isSigned = verify(identity.ed, LABEL, packed.subarray(0, packed.length - SIGNATURE_BYTES), signature);
  const own = ownDeviceId(identity);
  const isOwn = devices.some(({ id, ed, x }) => equal(id, own) && equal(ed, identity.ed) && equal(x, identity.x));
  if (version === 0 || isFirst !== (version === 1) || !isOwn || !isOrdered || !isSigned) throw new SottoError('malformed');
  return { version, previous, devices };
}

/** 32 bytes that stand for every byte of a list. */
export function devicesHash(packed: Uint8Array): Uint8Array {
  return hash(LABEL, packed);
}

/**
 * Checks a list of an identity against the newest that is known of it: it is the same, or its successor, or newer by more than that.
 * @param known a list that was checked before; null if there is none.
 * @throws SottoError `malformed` for an older list, and for another of the same version or with another one before it.
 */
export function checkDevices(packed: Uint8Array, identity: PublicIdentity, known: Uint8Array | null): void {
  const list = unpackDevices(packed, identity);
  if (known === null || equal(known, packed)) return;
  const { version } = unpackDevices(known, identity);
  const follows = list.version > version + 1 || (list.version === version + 1 && equal(list.previous, devicesHash(known)));
  if (!follows) throw new SottoError('malformed');
}

function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at >= 0 && a[at]! < b[at]!;
}
