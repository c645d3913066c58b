// Closed by default: whom a client of the TURN server can reach, tried at all three ways in. A server is a door into its own
// network unless this holds.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseIp, type Endpoint } from '../../../relay/turn/address.js';
import { readXorAddress, XOR_PEER_ADDRESS } from '../../../relay/turn/attribute.js';
import { Commons } from '../../../relay/turn/commons.js';
import { parseMessage, valueOf } from '../../../relay/turn/message.js';
import { isSpecial } from '../../../relay/turn/range.js';
import { BrainClient, hex, NOW, SERVER, SERVER_V6, testTurn, toClient, UDP_TRANSPORT, V6_FAMILY } from './support.js';
import { SocketClient } from './client.js';
import { testServer } from './support.js';

/** First, last and some address of every special-purpose range, in every form that an IPv4 address can hide in. */
const SPECIAL_V4 = [
  '0.0.0.0', '0.0.0.1', '0.255.255.255', '10.0.0.0', '10.0.0.1', '10.255.255.255', '100.64.0.0', '100.64.0.1', '100.127.255.255', '127.0.0.0',
  '127.0.0.1', '127.0.0.53', '127.255.255.255', '169.254.0.0', '169.254.169.254', '169.254.255.255', '172.16.0.0', '172.31.255.255',
  '192.0.0.0', '192.0.0.8', '192.0.0.170', '192.0.0.255', '192.0.2.1', '192.88.99.1', '192.168.0.0', '192.168.1.1', '192.168.255.255',
  '198.18.0.1', '198.19.255.255', '198.51.100.1', '203.0.113.255', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.254', '255.255.255.255',
];
const SPECIAL_V6 = [
  '::', '::1', '::2', '::7f00:1', '::a9fe:a9fe', '64:ff9b::', '64:ff9b:1::', '64:ff9b:1:ffff::', '100::1', '2001::1', '2001:2::1', '2001:20::1', '2001:1ff::1',
  '2001:db8::1', '2002::1', '2002:c0a8:101::1', '3fff::1', '5f00::1', 'fc00::1', 'fdff::1', 'fe80::1', 'febf::1', 'fec0::1', 'ff02::1', 'ff0e::1',
  'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  ...SPECIAL_V4.flatMap((address) => ['::ffff:*', '::*', '::ffff:0:*', '64:ff9b::*'].map((form) => form.replace('*', hidden(address)))),
  ...SPECIAL_V4.map((address) => `2002:${hidden(address)}::`),
];
const PUBLIC = ['1.1.1.1', '8.8.8.8', '100.63.255.255', '100.128.0.0', '172.15.255.255', '172.32.0.0', '192.0.1.0', '198.20.0.0', '223.255.255.255', '2600::1', '2a00:1450::1', '2003::1'];

function hidden(address: string): string {
  const [a, b, c, d] = parseIp(address)!;
  return `${((a! << 8) | b!).toString(16)}:${((c! << 8) | d!).toString(16)}`;
}

/** What a client achieved against a peer, by each way in. */
function probe(client: BrainClient, peer: Endpoint): string[] {
  const reached: string[] = [];
  if (client.permit(peer) === '0108') reached.push('CreatePermission');
  if (client.send(peer, hex('2a')).length > 0) reached.push('Send');
  if (client.bind(0x4000, peer) === '0109') reached.push('ChannelBind');
  if (client.say(hex('40000001 2a')).length > 0) reached.push('ChannelData');
  return reached;
}

function clients(turn: ReturnType<typeof testTurn>): Record<4 | 6, BrainClient> {
  const four = new BrainClient(turn, { source: { address: '192.0.2.9', port: 4 } });
  const six = new BrainClient(turn, { source: { address: '192.0.2.9', port: 6 } });
  four.allocate(50_004);
  six.allocate(50_006, [UDP_TRANSPORT, V6_FAMILY]);
  return { 4: four, 6: six };
}

describe('a special-purpose address', () => {
  test('is known in every form, and public ones are not taken for one', () => {
    expect([...SPECIAL_V4, ...SPECIAL_V6].filter((address) => !isSpecial(address))).toEqual([]);
    expect(PUBLIC.filter(isSpecial)).toEqual([]);
  });

  test('is granted at no way in and never reached, be the server open and a client connected from there', () => {
    for (const peers of ['clients', 'open'] as const) {
      const turn = testTurn({ peers });
      const by = clients(turn);
      for (const address of [...SPECIAL_V4, ...SPECIAL_V6]) {
        turn.handle({ kind: 'came', address }, NOW);
        // At the port of a live allocation, too, which is live at the server's own address alone.
        const ports = address === SERVER || address === SERVER_V6 ? [80] : [80, 50_004, 50_006];
        for (const port of ports) expect(probe(by[address.includes(':') ? 6 : 4], { address, port }), `${address} ${port}`).toEqual([]);
      }
    }
  });
});

test('an exempt address is reached wherever it is, in one network and no other', () => {
  const reached = ['10.1.2.3', '10.2.0.0'].map((address) => probe(clients(testTurn({ exempt: ['10.1.0.0/16'] }))[4], { address, port: 80 }));
  expect(reached.map(({ length }) => length)).toEqual([4, 0]);
});

test('a server that has not looked around yet knows the addresses of its own allocations', () => {
  const by = clients(testTurn({ peers: 'open', relayed: { 4: '8.8.8.8', 6: '2600::8' } }));
  for (const address of ['8.8.8.8', '2600::8']) expect(probe(by[address.includes(':') ? 6 : 4], { address, port: 22 }), address).toEqual([]);
});

describe('another thread', () => {
  /** Two brains of one server, each with an allocation of a client that has let the other in. */
  function threads() {
    const commons = new Commons();
    const [near, far] = [commons, new Commons(commons.memory, 1)].map((one, index) => {
      const turn = testTurn({ within: { 4: '127.0.0.1', 6: '::1' }, commons: one });
      const client = new BrainClient(turn);
      return { turn, client, socket: client.allocate(50_000 + index) };
    });
    near!.client.permit({ address: SERVER, port: 50_001 });
    return { commons, near: near!, far: far! };
  }
  const data = hex('2a');

  test('is reached inside the machine, at the ports of its allocations while they live', () => {
    const { commons, near, far } = threads();
    expect(near.client.send({ address: SERVER, port: 50_001 }, data)).toEqual([{ kind: 'to-peer', socket: near.socket, to: { address: '127.0.0.1', port: 50_001 }, bytes: data }]);
    expect(commons.totals).toMatchObject({ allocations: 2, relayedBytes: 1 });
    expect(near.client.send({ address: SERVER, port: 50_002 }, data)).toEqual([]);
    far.turn.handle({ kind: 'ended', flow: far.client.flow }, NOW);
    expect(near.client.send({ address: SERVER, port: 50_001 }, data)).toEqual([]);
    expect(commons.totals.allocations).toBe(1);
  });

  test('is heard under the address that clients know, and nobody else of this machine or beyond is taken for it', () => {
    const { near } = threads();
    const hear = (address: string, port: number) => {
      const bytes = toClient(near.turn.handle({ kind: 'from-peer', socket: near.socket, source: { address, port }, bytes: data }, NOW));
      const message = bytes === null ? null : parseMessage(bytes);
      return message === null ? null : readXorAddress(valueOf(message, XOR_PEER_ADDRESS)!, message.transaction);
    };
    expect(hear('127.0.0.1', 50_001)).toEqual({ address: SERVER, port: 50_001 });
    expect([hear('127.0.0.1', 50_002), hear('127.0.0.2', 50_001), hear('10.0.0.1', 50_001), hear('::1', 50_001)]).toEqual([null, null, null, null]);
  });
});

describe('a public address', () => {
  test('is reached while a client of the relay is connected from there, and not a moment longer', () => {
    const turn = testTurn();
    const by = clients(turn);
    const peer = { address: '8.8.4.4', port: 5_000 };
    expect(probe(by[4], peer)).toEqual([]);
    turn.handle({ kind: 'came', address: peer.address }, NOW);
    turn.handle({ kind: 'came', address: peer.address }, NOW);
    expect(probe(by[4], peer)).toEqual(['CreatePermission', 'Send', 'ChannelBind', 'ChannelData']);
    turn.handle({ kind: 'went', address: peer.address }, NOW);
    expect(by[4].send(peer, hex('2a'))).toHaveLength(1);
    turn.handle({ kind: 'went', address: peer.address }, NOW);
    expect([by[4].send(peer, hex('2a')), by[4].say(hex('40000001 2a'))]).toEqual([[], []]);
    expect(probe(by[4], peer)).toEqual([]);
  });

  test('is reached by everybody where the operator opens the server', () => {
    const by = clients(testTurn({ peers: 'open' }));
    expect(probe(by[4], { address: '8.8.4.4', port: 53 })).toHaveLength(4);
    expect(probe(by[6], { address: '2600::1', port: 53 })).toHaveLength(4);
  });

  test('of the server itself is reached at live allocations and nowhere else, be the server open or not', () => {
    for (const peers of ['clients', 'open'] as const) {
      const turn = testTurn({ peers, relayed: { 4: '8.8.8.8', 6: '2600::8' } });
      turn.handle({ kind: 'own', addresses: ['8.8.8.8', '9.9.9.9', '2600::8'] }, NOW);
      const by = clients(turn);
      for (const address of ['8.8.8.8', '9.9.9.9', '2600::8']) {
        turn.handle({ kind: 'came', address }, NOW);
        // 50004 and 50006 are live in one family each, which opens nothing in the other.
        for (const port of [22, 3_478, 50_005, address.includes(':') ? 50_004 : 50_006]) expect(probe(by[address.includes(':') ? 6 : 4], { address, port }), `${address} ${port}`).toEqual([]);
      }
      // The address is let in for the sake of one port, which opens no other.
      expect(by[4].permit({ address: '8.8.8.8', port: 50_004 })).toBe('0108');
      expect(by[4].send({ address: '8.8.8.8', port: 22 }, hex('2a'))).toEqual([]);
      expect(by[4].bind(0x4001, { address: '8.8.8.8', port: 22 })).toBe(403);
    }
  });
});

test('no service of this machine hears anything through a server that listens at all its addresses, even an open one', async () => {
  const server = await testServer({ address: '0.0.0.0', peers: 'open', exempt: [] });
  const service = createSocket('udp4').bind(0);
  onTestFinished(() => void service.close());
  await once(service, 'listening');
  const heard: Buffer[] = [];
  service.on('message', (bytes) => heard.push(bytes));
  const { port } = service.address();
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []).filter(({ family }) => family === 'IPv4');
  const client = await SocketClient.open(server.port);
  await client.allocate();
  for (const address of new Set(['0.0.0.0', '127.0.0.1', '127.0.0.2', SERVER, ...own.map((one) => one.address)])) {
    expect(await client.permit({ address, port }), address).toBe(403);
    expect(await client.bind(0x4000, { address, port }), address).toBe(403);
    client.send({ address, port }, hex('2a'));
  }
  // What the server has said before it hears the last request, it has said: a datagram to the service would be here.
  expect(await client.permit({ address: '127.0.0.1', port })).toBe(403);
  createSocket('udp4').unref().send('end', port, '127.0.0.1');
  while (heard.at(-1)?.toString() !== 'end') await once(service, 'message');
  expect(heard).toHaveLength(1);
});
