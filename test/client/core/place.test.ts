// Where relays are, and that nobody is sent to one that is nearer or farther than the own.

import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ready } from '../../../crypto/sodium.js';
import { onAnswered } from '../../../client/core/contacts.js';
import { sendText } from '../../../client/core/conversation.js';
import type { Contact, Memory } from '../../../client/core/memory.js';
import type { Body } from '../../../client/core/message_pb.js';
import { checkPlace, mayForward, placeOf } from '../../../client/core/place.js';
import { FAIR } from '../../support/network.js';
import { RELAY, World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';
import { meet } from './support.js';

beforeAll(ready);

const LAN = 'http://192.168.0.7:8080';

const MACHINE = ['http://127.0.0.1:8080', 'http://localhost', 'https://localhost:8443', 'http://[::1]:8080', 'http://0.0.0.0', 'http://[::ffff:127.0.0.1]', 'http://2130706433'];
const NETWORK = [
  'http://192.168.0.7:8080', 'https://192.168.0.7', 'https://10.255.255.255', 'https://172.16.0.1', 'https://172.31.255.255', 'https://169.254.169.254', 'https://100.64.0.1',
  'https://0xc0a80001', 'https://[fd00::1]', 'https://[fe80::1]', 'https://[::ffff:192.168.0.7]', 'https://[64:ff9b::c0a8:7]', 'https://[2002:c0a8:7::1]',
  'https://nas', 'https://nas.', 'https://nas.local', 'https://nas.lan', 'https://metadata.google.internal', 'https://box.home.arpa',
  'http://relay.example', 'http://192.0.2.1', 'http://[2a00::1]',
];
const INTERNET = ['https://relay.example', 'https://relay.example:8443', 'https://9.9.9.9', 'https://172.15.0.1', 'https://172.32.0.1', 'https://100.128.0.1', 'https://[2a00::1]', 'https://10.example', 'https://local.example'];

describe('a relay', () => {
  it.each(MACHINE)('at %s is on this machine', (relay) => {
    expect(placeOf(new URL(relay).origin)).toBe('machine');
  });

  it.each(NETWORK)('at %s is in a network of few', (relay) => {
    expect(placeOf(new URL(relay).origin)).toBe('network');
  });

  it.each(INTERNET)('at %s is where everybody reaches it', (relay) => {
    expect(placeOf(new URL(relay).origin)).toBe('internet');
  });

  it('without TLS is never in the internet, whatever its host', () => {
    fc.assert(fc.property(fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6().map((ip) => `[${ip}]`)), (host) => placeOf(new URL(`http://${host}`).origin) !== 'internet'));
  });

  it('that is our own is taken from everybody', () => {
    for (const relay of [...MACHINE, ...NETWORK, ...INTERNET]) expect(() => checkPlace(relay, relay)).not.toThrow();
  });

  it('of somebody else is taken only from the same kind of place', () => {
    const places = { machine: 'http://127.0.0.1:1', network: 'http://nas:1', internet: 'https://other.example' };
    for (const [theirs, relay] of Object.entries(places)) {
      for (const [ours, own] of Object.entries({ machine: MACHINE[0]!, network: LAN, internet: RELAY })) {
        const check = (): void => checkPlace(relay, own);
        if (theirs === ours) expect(check).not.toThrow();
        else expect(check).toThrow(expect.objectContaining({ code: 'relay-elsewhere' }));
      }
    }
  });
});

function people(seed: number): { world: World; alice: VirtualClient; bob: VirtualClient } {
  const world = new World(seed, { ...FAIR, direct: 0 });
  return { world, alice: world.client('Alice'), bob: world.client('Bob') };
}

function move(client: VirtualClient, relay: string): void {
  client.core.memory.self = { ...client.core.memory.self, relay };
}

describe('a TURN server', () => {
  const hosts = [...MACHINE, ...NETWORK].filter((origin) => placeOf(new URL(origin.replace('http:', 'https:')).origin) !== 'internet').map((origin) => origin.replace(/^https?:\/\/|:\d+$|[[\]]/g, ''));

  it('in a network of few or on this machine, however that is written, is not one that a relay in the internet may name', () => {
    expect(hosts.length).toBeGreaterThan(15);
    for (const host of [...hosts, '127.1', '0x7f.1', '10.1']) expect([host, mayForward(host, RELAY)]).toEqual([host, false]);
    for (const host of ['turn.example', '9.9.9.9', '2a00::1']) expect([host, mayForward(host, RELAY)]).toEqual([host, true]);
  });

  it('may be anywhere where the relay that names it is in a network of few', () => {
    for (const host of [...hosts, 'turn.example']) expect(mayForward(host, LAN)).toBe(true);
  });
});

describe('a link', () => {
  it('to a relay in a local network or on this machine is refused before anything is connected, where our relay is in the internet', () => {
    const { world, alice, bob } = people(1);
    for (const relay of [LAN, 'http://127.0.0.1:22', 'http://relay.example']) {
      const outputs = bob.core.handle({ type: 'accept', request: 1, link: alice.invite().replace(RELAY, relay) }, world.now);
      expect(outputs).toMatchObject([{ type: 'answer', result: { code: 'relay-elsewhere' } }]);
    }
  });

  it('to another relay in a local network is taken where ours is in one', () => {
    const { world, alice, bob } = people(2);
    move(bob, 'http://192.168.0.8:8080');
    const outputs = bob.core.handle({ type: 'accept', request: 1, link: alice.invite().replace(RELAY, LAN) }, world.now);
    expect(outputs).toContainEqual(expect.objectContaining({ type: 'take', relay: LAN }));
  });

  it('to the internet is refused where our relay is in a local network: its owner could not answer', () => {
    const { world, alice, bob } = people(3);
    move(bob, LAN);
    expect(bob.core.handle({ type: 'accept', request: 1, link: alice.invite() }, world.now)).toMatchObject([{ type: 'answer', result: { code: 'relay-elsewhere' } }]);
  });
});

describe('a guest', () => {
  it('who names a relay elsewhere than ours becomes no contact, and the person is told', () => {
    const { world, alice, bob } = people(4);
    const link = alice.invite();
    move(alice, LAN);
    bob.accept(link);
    world.run(5_000);
    expect([alice.core.memory.contacts.size, alice.notices]).toEqual([0, ['relay-elsewhere']]);
  });
});

describe('a contact who says that they collect at another relay', () => {
  const [OLD, NEW] = ['https://old.test', 'https://new.test'];
  const links = (memory: Memory, bob: Contact): unknown[] => {
    const reply = { relay: NEW, mailbox: new Uint8Array(16), token: new Uint8Array(16) };
    onAnswered(memory, bob, { sentAt: 0n, hello: { reply } } as unknown as Body);
    return memory.takeOutputs().flatMap((output) => ((output.type === 'link' || output.type === 'unlink') && output.role === 'deposit' ? [[output.type, output.relay]] : []));
  };

  it('does not see us at the old one any more', () => {
    const { memory, bob } = meet(1);
    memory.update(bob, { outbox: { ...bob.record.outbox, relay: OLD } });
    expect(links(memory, bob)).toEqual([['link', NEW], ['unlink', OLD]]);
  });

  it('is given there at once what waited for room at the old one', () => {
    const { memory, bob } = meet(3);
    bob.hold = { code: 'mailbox-full', until: memory.now + 3_600_000 };
    sendText(memory, bob, 1, 'waits');
    memory.takeOutputs();
    memory.links.set(`deposit ${NEW}`, { online: true, rttMs: 0 });
    const reply = { relay: NEW, mailbox: new Uint8Array(16), token: new Uint8Array(16) };
    onAnswered(memory, bob, { sentAt: 0n, hello: { reply } } as unknown as Body);
    expect(memory.takeOutputs().filter((output) => output.type === 'put').map(({ to }) => to.relay)).toEqual([NEW]);
  });

  it('leaves us there where it is ours, or somebody else collects there, or we take a card there', () => {
    const own = meet(1);
    expect(links(own.memory, own.bob)).toEqual([['link', NEW]]);
    const shared = meet(1);
    shared.memory.update(shared.bob, { outbox: { ...shared.bob.record.outbox, relay: OLD } });
    shared.memory.contacts.set('carol', { ...shared.bob, record: { ...shared.bob.record } });
    expect(links(shared.memory, shared.bob)).toEqual([['link', NEW]]);
    const asking = meet(1);
    asking.memory.update(asking.bob, { outbox: { ...asking.bob.record.outbox, relay: OLD } });
    asking.alice.core.handle({ type: 'accept', request: 9, link: meet(2).alice.invite().replace(RELAY, OLD) }, asking.world.now);
    expect(links(asking.memory, asking.bob)).toEqual([['link', NEW]]);
  });
});
