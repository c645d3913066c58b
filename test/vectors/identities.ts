// The vectors of PROTOCOL.md §2, and of the forms in which secrets are kept.

import { deviceId, devicesHash, firstDevices, followDevices, idOf, type Identity, packIdentity, safetyNumber, signDevices, unpackIdentity } from '../oracle/identity.js';
import { packSecret, unpackSecret } from '../oracle/invitation.js';
import { be, h32, join, publicX } from '../oracle/notation.js';
import { hex, TERMS } from './conversation.js';
import { ANN, BEA, make, MALLORY, refusal, ZERO } from './people.js';

export function safetyNumbers() {
  const third = { ed: BEA.ed, x: ANN.x };
  const pairs: (readonly [string, Pick<Identity, 'ed' | 'x'>, Pick<Identity, 'ed' | 'x'>])[] = [
    ['two people', ANN, BEA], ['the same from the other side', BEA, ANN], ['the same Ed25519 key, another X25519 key', ANN, third], ['one person twice', ANN, ANN],
  ];
  return { cases: pairs.map(([name, a, b]) => ({ name, mine: hex(join(a.ed, a.x)), theirs: hex(join(b.ed, b.x)), number: safetyNumber(a, b) })) };
}

export function packedVectors() {
  const { secret } = make(TERMS, 'packed');
  const forms = { identity: packIdentity(ANN), invitation: packSecret(secret) };
  const unpack = { identity: unpackIdentity, invitation: unpackSecret };
  const wrong = (form: 'identity' | 'invitation') => {
    const right = forms[form];
    const bytes: (readonly [string, Uint8Array])[] = [
      ['nothing', new Uint8Array(0)], ['the version alone', right.slice(0, 1)], ['one byte less', right.slice(0, -1)], ['one byte more', join(right, be(0, 1))], ['version 0', right.with(0, 0)], ['version 3', right.with(0, 3)],
    ];
    return bytes.map(([name, packed]) => ({ form, name, packed: hex(packed), code: refusal(() => unpack[form](packed)) }));
  };
  return {
    identity: { edSeed: hex(ANN.edSeed), xSecret: hex(ANN.xSecret), ed: hex(ANN.ed), x: hex(ANN.x), id: hex(idOf(ANN)), packed: hex(forms.identity) },
    invitation: { spkSecret: hex(secret.spkSecret), pqSeed: hex(secret.pqSeed), psk: hex(secret.psk), bundleHash: hex(secret.bundleHash), devicesHash: hex(secret.devicesHash), spk: hex(publicX(secret.spkSecret)), packed: hex(forms.invitation) },
    refused: [...wrong('identity'), ...wrong('invitation')],
    // How a session is packed is each implementation's own; what it must refuse is not.
    refusedSessions: ['', '00', 'ff', 'ff'.repeat(312), '00'.repeat(600), hex(h32('nothing'))].map((packed) => ({ packed, code: 'malformed' })),
  };
}

const OWN = { id: deviceId(ANN), ed: ANN.ed, x: ANN.x, addedAt: 1_700_000_000_000 };
/** Devices of Ann's, by ids that stand before and behind that of the first. */
const other = (id: number) => ({ id: new Uint8Array(8).fill(id), ed: new Uint8Array(32).fill(id), x: new Uint8Array(32).fill(id), addedAt: OWN.addedAt + id });
const listOf = (version: number, previous: Uint8Array, devices: Parameters<typeof signDevices>[3]) => signDevices(ANN, version, previous, devices.toSorted((a, b) => Buffer.compare(a.id, b.id)));
const FIRST = firstDevices(ANN, OWN.addedAt);

export function deviceVectors() {
  const second = listOf(2, devicesHash(FIRST), [OWN, other(1)]);
  const third = listOf(3, devicesHash(second), [OWN, other(1), other(255)]);
  const fork = listOf(2, devicesHash(FIRST), [OWN, other(2)]);
  const lists = [['of a new identity', FIRST], ['its successor with a second device', second], ['a third version with three', third], ['five devices', listOf(2, devicesHash(FIRST), [OWN, ...[1, 2, 254, 255].map(other)])]] as const;
  const updates: (readonly [string, Uint8Array | null, Uint8Array])[] = [
    ['none is known', null, third], ['the same', second, second], ['the next, which names the known one', FIRST, second], ['newer by more than one, whatever it names', FIRST, third],
    ['newer by two, and names another than the known one', FIRST, listOf(3, new Uint8Array(32).fill(7), [OWN])],
    ['an older one', second, FIRST], ['another of the same version', second, fork], ['another first one', FIRST, firstDevices(ANN, 0)], ['the next, which names another', fork, third],
    ['the next of one device fewer', third, listOf(4, devicesHash(third), [OWN])],
  ];
  return {
    identity: hex(packIdentity(ANN)),
    lists: lists.map(([name, list]) => ({ name, list: hex(list), hash: hex(devicesHash(list)) })),
    refused: wrongLists().map(([name, list]) => ({ name, list: hex(list), code: refusal(() => followDevices(list, ANN, null)) })),
    updates: updates.map(([name, known, list]) => ({ name, known: known && hex(known), list: hex(list), code: outcome(() => followDevices(list, ANN, known)) })),
  };
}

function outcome(action: () => void): string | null {
  try {
    action();
    return null;
  } catch {
    return refusal(action);
  }
}

/** Lists that are none of `who`. */
export function wrongLists(who: Identity = ANN): (readonly [string, Uint8Array])[] {
  const own = { id: deviceId(who), ed: who.ed, x: who.x, addedAt: 0 };
  const right = firstDevices(who, 0);
  const signs = (version: number, previous: Uint8Array, devices: Parameters<typeof signDevices>[3]) => signDevices(who, version, previous, devices);
  const ordered = [own, other(1)].toSorted((a, b) => Buffer.compare(a.id, b.id));
  return [
    ['a changed signature', right.with(-1 + right.length, right.at(-1)! ^ 1)], ['the signature of somebody else', signDevices(MALLORY, 1, ZERO, [own])], ['the list of somebody else', firstDevices(MALLORY, 0)],
    ['a changed time', right.with(114, right[114]! ^ 1)], ['a byte less', right.slice(0, -1)], ['a byte behind it', join(right, be(0, 1))], ['no devices', signs(1, ZERO, [])],
    ['six devices', signs(1, ZERO, [own, ...[1, 2, 3, 4, 255].map(other)].toSorted((a, b) => Buffer.compare(a.id, b.id)))],
    ['a count that is not that of its devices', signs(1, ZERO, [own]).with(36, 2)],
    ['version 0', signs(0, ZERO, [own])], ['a first version that names one before it', signs(1, ZERO.with(31, 1), [own])], ['a second version that names none', signs(2, ZERO, [own])],
    ['devices out of order', signs(1, ZERO, ordered.toReversed())], ['one device twice', signs(1, ZERO, [own, own])], ['two devices of one id', signs(1, ZERO, [other(1), other(1), own].toSorted((a, b) => Buffer.compare(a.id, b.id)))],
    ["another device than the identity's own", signs(1, ZERO, [other(1)])], ["the identity's own keys under another id", signs(1, ZERO, [{ ...own, id: other(1).id }])],
    ["the identity's own device with another X25519 key", signs(1, ZERO, [{ ...own, x: other(1).x }])], ["the identity's own device with another Ed25519 key", signs(1, ZERO, [{ ...own, ed: other(1).ed }])],
  ];
}
