// The second implementation, §2: identities, the safety number and device lists.

import { be, type Draw, Fields, h32, hash512, join, publicEd, publicX, refuse, same, sign, verifies } from './notation.js';

export interface Public {
  readonly ed: Uint8Array;
  readonly x: Uint8Array;
}

export interface Identity extends Public {
  readonly edSeed: Uint8Array;
  readonly xSecret: Uint8Array;
}

function identityOf(edSeed: Uint8Array, xSecret: Uint8Array): Identity {
  return { ed: publicEd(edSeed), x: publicX(xSecret), edSeed, xSecret };
}

export function identity(draw: Draw): Identity {
  return identityOf(draw(32), draw(32));
}

export const idOf = ({ ed, x }: Public): Uint8Array => h32('id', ed, x);

export const packIdentity = ({ edSeed, xSecret }: Identity): Uint8Array => join(be(1, 1), edSeed, xSecret);

export function unpackIdentity(packed: Uint8Array): Identity {
  const fields = new Fields(packed);
  fields.must(1);
  const read = identityOf(fields.take(32), fields.take(32));
  fields.done();
  return read;
}

export function unpackPublic(packed: Uint8Array): Public {
  const fields = new Fields(packed);
  const read = { ed: fields.take(32), x: fields.take(32) };
  fields.done();
  return read;
}

export function safetyNumber(mine: Public, theirs: Public): string {
  const half = (who: Public): string => {
    let h = join(be(1, 2), idOf(who), who.ed);
    for (let round = 0; round < 5200; round++) h = hash512(join(h, who.ed));
    return [0, 1, 2, 3, 4, 5].map((i) => String(Buffer.from(h).readUIntBE(5 * i, 5) % 100_000).padStart(5, '0')).join('');
  };
  const [a, b] = [half(mine), half(theirs)];
  return a < b ? a + b : b + a;
}

// §2.2

export interface Device {
  readonly id: Uint8Array;
  readonly ed: Uint8Array;
  readonly x: Uint8Array;
  readonly addedAt: number;
}

/** A list as an identity signs it, whatever it says. */
export function signDevices(me: Identity, version: number, previous: Uint8Array, devices: readonly Device[]): Uint8Array {
  const signed = join(be(version, 4), previous, be(devices.length, 1), ...devices.flatMap(({ id, ed, x, addedAt }) => [id, ed, x, be(addedAt, 6)]));
  return join(signed, sign(me.edSeed, 'devices', signed));
}

export const deviceId = ({ ed, x }: Public): Uint8Array => h32('device', ed, x).slice(0, 8);

/** The first list of an identity, which has had one device since a time. */
export function firstDevices(me: Identity, addedAt: number): Uint8Array {
  return signDevices(me, 1, new Uint8Array(32), [{ id: deviceId(me), ed: me.ed, x: me.x, addedAt }]);
}

export const devicesHash = (list: Uint8Array): Uint8Array => h32('devices', list);

/** Refuses what may not take the place of the newest list that is known of this identity. */
export function followDevices(list: Uint8Array, owner: Public, known: Uint8Array | null): void {
  checkDevices(list, owner);
  if (known === null || same(list, known)) return;
  const [version, before] = [list, known].map((of) => new Fields(of).number(4)) as [number, number];
  const isSuccessor = version === before + 1 && same(list.slice(4, 36), devicesHash(known));
  if (!isSuccessor && version <= before + 1) refuse('malformed');
}

/** Refuses what is no device list of this identity. */
export function checkDevices(list: Uint8Array, owner: Public): void {
  const fields = new Fields(list);
  const [version, previous, count] = [fields.number(4), fields.take(32), fields.number(1)];
  if (version === 0 || (version === 1) !== previous.every((byte) => byte === 0) || count === 0 || count > 5) refuse('malformed');
  const devices = Array.from({ length: count }, () => fields.take(78));
  const ids = devices.map((device) => Buffer.from(device.slice(0, 8)).toString('hex'));
  const own = join(deviceId(owner), owner.ed, owner.x);
  if (!devices.some((device) => same(device.slice(0, 72), own))) refuse('malformed');
  const signature = fields.take(64);
  fields.done();
  if (new Set(ids).size < count || ids.join() !== ids.toSorted().join() || !verifies(owner.ed, 'devices', list.slice(0, -64), signature)) refuse('malformed');
}
