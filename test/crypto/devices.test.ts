import { describe, expect, it } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { checkDevices, type Device, DEVICES_MAX, devicesHash, firstDevices, packDevices, unpackDevices } from '../../crypto/devices.js';
import { createIdentity } from '../../crypto/identity.js';
import { ready } from '../../crypto/sodium.js';
import * as oracle from '../oracle/identity.js';
import { h32 } from '../oracle/notation.js';
import { codeOf, seeded } from './support.js';

await ready();

const me = createIdentity(seeded('me'));
const zeros = new Uint8Array(32);
const mine: Device = { id: h32('device', me.ed, me.x).slice(0, 8), ed: me.ed, x: me.x, addedAt: 0 };
const device = (n: number): Device => ({ id: new Uint8Array(8).fill(n), ed: new Uint8Array(32).fill(n), x: new Uint8Array(32).fill(n), addedAt: n });
/** Our own device among others, in order. */
const among = (...others: Device[]): Device[] => [mine, ...others].toSorted((a, b) => toHex(a.id).localeCompare(toHex(b.id)));
const refusal = (list: Parameters<typeof packDevices>[1]) => codeOf(() => unpackDevices(packDevices(me, list), me));

describe('a device list', () => {
  it('of a new identity has one device with its keys, byte for byte as a second implementation makes it', () => {
    const list = firstDevices(me, 1_700_000_000_000);
    expect(toHex(list)).toBe(toHex(oracle.firstDevices(oracle.identity(seeded('me')), 1_700_000_000_000)));
    expect(list).toHaveLength(179);
    expect(unpackDevices(list, me)).toMatchObject({ version: 1, previous: zeros, devices: [{ ed: me.ed, x: me.x, addedAt: 1_700_000_000_000 }] });
    expect(toHex(devicesHash(list))).toBe(toHex(h32('devices', list)));
  });

  it('is refused when any byte of it is changed, and when another identity has signed it', () => {
    const list = firstDevices(me, 5);
    for (let at = 0; at < list.length; at += 1) expect(codeOf(() => unpackDevices(list.with(at, list[at]! ^ 1), me)), `byte ${at}`).toBe('malformed');
    expect(codeOf(() => unpackDevices(list, createIdentity(seeded('other'))))).toBe('malformed');
  });

  it('is refused without devices, with too many, with one twice, out of order, and with a first version that has a past', () => {
    const [version, previous] = [1, zeros];
    const others = Array.from({ length: DEVICES_MAX }, (_, n) => device(n));
    expect(unpackDevices(packDevices(me, { version, previous, devices: among(...others.slice(1)) }), me).devices).toHaveLength(DEVICES_MAX);
    for (const devices of [[], among(...others), among(device(1), device(1)), among(device(1)).toReversed()]) expect(refusal({ version, previous, devices })).toBe('malformed');
    expect(refusal({ version: 0, previous, devices: [mine] })).toBe('malformed');
    expect(refusal({ version: 1, previous: new Uint8Array(32).fill(1), devices: [mine] })).toBe('malformed');
    expect(refusal({ version: 2, previous, devices: [mine] })).toBe('malformed');
  });

  it('is refused without the device that has the keys of the identity: whoever shows the list of another has only one of its keys', () => {
    for (const devices of [[device(1)], [{ ...mine, id: device(1).id }], [{ ...mine, x: device(1).x }], [{ ...mine, ed: device(1).ed }]]) {
      expect(refusal({ version: 1, previous: zeros, devices })).toBe('malformed');
    }
    const { x } = createIdentity(seeded('thief'));
    expect(codeOf(() => unpackDevices(firstDevices(me, 0), { ed: me.ed, x }))).toBe('malformed');
    expect(() => oracle.checkDevices(firstDevices(me, 0), { ed: me.ed, x })).toThrow('malformed');
  });

  it('follows the newest that is known: the same, its successor, or one that is newer by more', () => {
    const first = firstDevices(me, 5);
    const second = packDevices(me, { version: 2, previous: devicesHash(first), devices: among(device(1), device(2)) });
    const third = packDevices(me, { version: 3, previous: devicesHash(second), devices: among(device(2)) });
    for (const [list, known] of [[first, null], [first, first], [second, first], [third, second], [third, first]] as const) checkDevices(list, me, known);
    const forked = packDevices(me, { version: 2, previous: devicesHash(second), devices: among(device(3)) });
    for (const [list, known] of [[first, second], [forked, first], [forked, second], [firstDevices(me, 6), first]] as const) {
      expect(codeOf(() => checkDevices(list, me, known))).toBe('malformed');
    }
  });
});
