import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { firstDevices } from '../../../crypto/devices.js';
import { SottoError } from '../../../crypto/error.js';
import { ready } from '../../../crypto/sodium.js';
import { decodeBody, encodeBody } from '../../../client/core/body.js';
import type { Input } from '../../../client/core/input.js';
import { FAIR } from '../../support/network.js';
import { World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';

beforeAll(ready);

/** Flips one bit, cuts the end off, or makes it up. */
const mutilated = (bytes: Uint8Array): fc.Arbitrary<Uint8Array> => fc.oneof(
  fc.uint8Array({ maxLength: 5_000 }),
  fc.nat({ max: bytes.length }).map((length) => bytes.slice(0, length)),
  fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 7 })).map(([at, bit]) => bytes.map((byte, index) => (index === at ? byte ^ (1 << bit) : byte))),
);

function acquaint(seed: number): { world: World; alice: VirtualClient; bob: VirtualClient; atAlice: string; atBob: string } {
  const world = new World(seed, { ...FAIR, direct: 0 });
  const alice = world.client('Alice');
  const bob = world.client('Bob');
  const atBob = bob.accept(alice.invite());
  world.run(2_000);
  return { world, alice, bob, atAlice: [...alice.core.memory.contacts.keys()][0]!, atBob };
}

/** Everything that the disk holds, to be compared byte by byte. */
function stateOf({ disk }: VirtualClient): string {
  return JSON.stringify(disk.snapshot(), (_key, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value));
}

describe('a body', () => {
  const bodies = [
    encodeBody(1, { case: 'text', value: { id: new Uint8Array(16), number: 7, chain: new Uint8Array(8), text: 'hello' } }, { name: 'Alice', reply: { relay: 'https://relay.test', mailbox: new Uint8Array(16), token: new Uint8Array(16) } }),
    encodeBody(1, { case: 'receipt', value: { delivered: 9, lacking: [3, 4], read: 2, again: true } }, null),
    encodeBody(1, { case: 'offer', value: { call: new Uint8Array(16), relayRttMs: 3, description: { ufrag: 'abcd', pwd: 'x'.repeat(22), fingerprint: new Uint8Array(32), setup: 'actpass', candidates: ['candidate:1 1 udp 1 127.0.0.1 9 typ host'] } } }, null),
  ];

  it('is read or refused as malformed, whatever the bytes', () => {
    for (const body of bodies) {
      fc.assert(fc.property(mutilated(body), (bytes) => {
        try {
          decodeBody(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(SottoError);
          expect((error as SottoError).code).toBe('malformed');
        }
      }));
    }
  });

  it.each([
    ['a name that holds an escape sequence', encodeBody(1, null, { name: '\u001b[31mroot' })],
    ['a name that turns the direction of writing', encodeBody(1, null, { name: 'gnp.\u202eexe' })],
    ['a reply address that is no relay', encodeBody(1, null, { name: 'Mallory', reply: { relay: 'javascript:alert(1)', mailbox: new Uint8Array(16), token: new Uint8Array(16) } })],
    ['a short mailbox', encodeBody(1, null, { name: 'Mallory', reply: { relay: 'https://relay.test', mailbox: new Uint8Array(15), token: new Uint8Array(16) } })],
    ['number 0', encodeBody(1, { case: 'text', value: { id: new Uint8Array(16), number: 0, chain: new Uint8Array(8), text: 'x' } }, null)],
    ['a number beyond 31 bits', encodeBody(1, { case: 'text', value: { id: new Uint8Array(16), number: 0x8000_0000, chain: new Uint8Array(8), text: 'x' } }, null)],
    ['more lacking numbers than are remembered', encodeBody(1, { case: 'receipt', value: { delivered: 5_000, lacking: Array.from({ length: 1_001 }, (_, index) => index + 1) } }, null)],
    ['a description with a line break', encodeBody(1, { case: 'offer', value: { call: new Uint8Array(16), description: { ufrag: 'ab\r\na=x', pwd: 'x'.repeat(22), fingerprint: new Uint8Array(32), setup: 'actpass' } } }, null)],
    ['a time that no calendar has', encodeBody(9e15, null, null)],
  ])('with %s is malformed', (_what, bytes) => {
    expect(() => decodeBody(bytes)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});

describe('a core', () => {
  it('changes nothing for a forged envelope, by whichever path and mailbox, and acknowledges it', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(1);
    alice.invite();
    world.run(60_000);
    // Bob's next envelope, on its way and not yet delivered.
    const put = bob.core.handle({ type: 'send', request: 1, contact: atBob, text: 'genuine' }, world.now).find((output) => output.type === 'put')!;
    const genuine = put.bytes;
    const contact = alice.core.memory.contacts.get(atAlice)!;
    const invitation = [...alice.core.memory.invitations.values()][0]!;
    const before = stateOf(alice);
    fc.assert(fc.property(mutilated(genuine), fc.constantFrom(contact.record.inbox.mailbox, invitation.mailbox.mailbox), (envelope, mailbox) => {
      fc.pre(Buffer.compare(envelope, genuine) !== 0);
      const outputs = alice.core.handle({ type: 'delivery', mailbox, sequence: 1, envelope, ageMs: 0 }, world.now);
      expect(outputs.filter(({ type }) => type === 'save')).toEqual([]);
      expect(outputs.some(({ type }) => type === 'acknowledge')).toBe(true);
    }));
    expect(stateOf(alice)).toBe(before);
    const opened = alice.core.handle({ type: 'delivery', mailbox: contact.record.inbox.mailbox, sequence: 1, envelope: genuine, ageMs: 0 }, world.now);
    expect(opened.filter(({ type }) => type === 'message').length).toBe(1);
  });

  it('shows a replayed envelope no second time', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(2);
    const { mailbox } = alice.core.memory.contacts.get(atAlice)!.record.inbox;
    const seen = world.seen.length;
    bob.send(atBob, 'once');
    world.run(60_000);
    const replayed = world.seen.slice(seen);
    const decrypted = replayed.map((envelope) => alice.core.handle({ type: 'delivery', mailbox, sequence: 1, envelope, ageMs: 0 }, world.now));
    expect(decrypted.flat().filter(({ type }) => type === 'message')).toEqual([]);
    world.run(60_000);
    expect(alice.shown()).toEqual(['once']);
  });

  it('lets a first flight make one contact only, although the whole flight is repeated', () => {
    const world = new World(3, { ...FAIR, direct: 0 });
    const alice = world.client('Alice');
    const bob = world.client('Bob');
    bob.accept(alice.invite());
    world.run(60_000);
    const flight = world.seen[0]!;
    const contacts = alice.core.memory.contacts.size;
    const { mailbox } = [...alice.core.memory.contacts.values()][0]!.record.inbox;
    for (let time = 0; time < 3; time += 1) alice.input({ type: 'delivery', mailbox, sequence: 99 + time, envelope: flight, ageMs: 0 });
    expect([contacts, alice.core.memory.contacts.size]).toEqual([1, 1]);
  });

  it('takes no contact whose device list is not the one that its flight has sealed', () => {
    const world = new World(6, { ...FAIR, direct: 0 });
    const [alice, bob] = [world.client('Alice'), world.client('Bob')];
    const link = alice.invite();
    alice.crash(60_000);
    const atBob = bob.accept(link);
    world.run(1_000);
    for (const box of world.mailboxes.values()) box.envelopes.clear();
    const { memory } = bob.core;
    memory.self = { ...memory.self, devices: firstDevices(memory.identity, 1) };
    bob.send(atBob, 'hello');
    world.run(120_000);
    expect([alice.core.memory.contacts.size, alice.notices]).toEqual([0, ['undecryptable']]);
  });

  it('ends a direct path on which somebody stands between, and tells the person', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(4);
    world.weather = FAIR;
    world.run(200_000);
    expect(alice.path(atAlice)).toBe('direct');
    const dialer = alice.core.memory.id < bob.core.memory.id ? alice : bob;
    const contact = dialer === alice ? atAlice : atBob;
    dialer.input({ type: 'network-changed' });
    world.weather = { ...FAIR, direct: 0 };
    world.run(50);
    const call = [...dialer.core.memory.calls.values()].find(({ phase }) => phase === 'dialing')!;
    call.remote ??= { ufrag: 'peer0', pwd: 'x'.repeat(22), fingerprint: new Uint8Array(32).fill(1), setup: 'active', candidates: [] };
    dialer.input({ type: 'peer-open', call: call.id, local: new Uint8Array(32), remote: new Uint8Array(32).fill(99) });
    expect(dialer.notices).toContain('fingerprint-mismatch');
    expect(dialer.core.memory.calls.has(call.id)).toBe(false);
    expect(dialer.path(contact)).toBe('direct');
  });

  it('survives any input that names things it does not know', () => {
    const { world, alice } = acquaint(5);
    const unknown = fc.constantFrom<Input>(
      { type: 'put', contact: 'ff', envelope: 'ff', error: null, retryAfterMs: 0 },
      { type: 'collected', mailbox: 'ff', error: 'mailbox-taken' },
      { type: 'published', lookup: 'ff', error: null },
      { type: 'card', request: 77, card: new Uint8Array(3), error: null },
      { type: 'delivery', mailbox: 'ff', sequence: 1, envelope: new Uint8Array(600), ageMs: 0 },
      { type: 'closed', mailbox: 'ff', error: null },
      { type: 'approve', request: 8, id: 'ff' },
      { type: 'refuse', request: 9, id: 'ff' },
      { type: 'address', request: 10, change: 'close' },
      { type: 'peer-open', call: 'ff', local: new Uint8Array(32), remote: new Uint8Array(32) },
      { type: 'peer-frame', call: 'ff', frame: new Uint8Array(600) },
      { type: 'peer-closed', call: 'ff', reason: 'gone' },
      { type: 'send', request: 5, contact: 'ff', text: 'x' },
      { type: 'accept', request: 6, link: 'https://relay.test/i#nonsense' },
      { type: 'read', contact: [...alice.core.memory.contacts.keys()][0]!, number: 2 ** 40 },
      { type: 'wake' },
    );
    fc.assert(fc.property(fc.array(unknown), (inputs) => {
      for (const input of inputs) expect(alice.core.handle(input, world.now).filter(({ type }) => type === 'message')).toEqual([]);
    }));
  });
});
