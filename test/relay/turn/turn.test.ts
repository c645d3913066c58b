// The brain of the TURN server, without sockets or time: golden frames, and what RFC 8656 asks of it.

import { describe, expect, test } from 'vitest';
import * as attribute from '../../../relay/turn/attribute.js';
import { LIMITS } from '../../../relay/turn/limits.js';
import { ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, parseMessage, REFRESH, SEND_INDICATION, valueOf, writeMessage } from '../../../relay/turn/message.js';
import type { Output } from '../../../relay/turn/turn.js';
import { asHex, BrainClient, channelOf, credential, gist, hex, newTransaction, NOW, onWire, peerOf, relayedOf, SERVER, SERVER_V6, testTurn, toClient, UDP_TRANSPORT, V6_FAMILY, writeSend } from './support.js';

const PEER = { address: '8.8.4.4', port: 40_000 };
const DATA = hex('68656c6c6f');
const TRANSACTION = 'b7e7a701 bc34d686 fa87dfae';
const NO_ATTRIBUTE = { type: attribute.LIFETIME, value: attribute.lifetime(600) };

/** A client with an allocation at port 50000 (or another), before a server that lets it talk to PEER. */
function ready({ port = 50_000, limits = LIMITS, stream = false } = {}) {
  const turn = testTurn({ limits });
  turn.handle({ kind: 'came', address: PEER.address }, NOW);
  const client = new BrainClient(turn, { stream });
  return { turn, client, socket: client.allocate(port) };
}

const kinds = (outputs: readonly Output[]) => outputs.map(({ kind }) => kind);
const lifetimeOf = (bytes: Uint8Array | null) => attribute.readLifetime(valueOf(parseMessage(bytes!)!, attribute.LIFETIME)!);
const seconds = (value: number) => ({ type: attribute.LIFETIME, value: attribute.lifetime(value) });

describe('golden frames', () => {
  test('a stranger who wants an allocation is told realm and nonce, in few bytes', () => {
    const source = { address: '192.0.2.9', port: 5_000 };
    const flow = { listener: 0, source };
    const request = hex(`00030008 2112a442 ${TRANSACTION} 00190004 11000000`);
    const answer = toClient(testTurn().handle({ kind: 'from-client', flow, bytes: request }, NOW))!;
    expect(asHex(answer)).toBe(asHex(hex(`01130020 2112a442 ${TRANSACTION} 00090004 00000401 00140005 736f7474 6f000000 00150008 ${asHex(answer.subarray(-8))}`)));
    expect(onWire(answer, source) / onWire(request, source)).toBeLessThanOrEqual(1.5);
  });

  test('an allocation is announced with its address, its lifetime and the address of the client', () => {
    const turn = testTurn();
    const client = new BrainClient(turn);
    const transaction = hex(TRANSACTION);
    const open = client.say(client.write(ALLOCATE, [UDP_TRANSPORT], transaction)).find(({ kind }) => kind === 'open');
    expect(open).toEqual({ kind: 'open', socket: 1, family: 4, even: false, pair: null });
    const answer = toClient(turn.handle({ kind: 'opened', socket: 1, port: 50_000, reserved: null }, NOW))!;
    expect(asHex(answer.subarray(0, -24))).toBe(asHex(hex(`01030038 2112a442 ${TRANSACTION} 00160008 0001e242 e721c043 000d0004 00000258 00200008 0001329a e112a64b`)));
  });

  test('ChannelData goes to the peer bare, and comes back under its channel', () => {
    const { turn, client, socket } = ready();
    expect(client.bind(0x4001, PEER)).toBe('0109');
    const [out] = client.say(hex('40010005 68656c6c6f'));
    expect(out).toMatchObject({ kind: 'to-peer', socket, to: PEER });
    expect(out?.kind === 'to-peer' && asHex(out.bytes)).toBe('68656c6c6f');
    expect(asHex(toClient(turn.handle({ kind: 'from-peer', socket, source: PEER, bytes: DATA }, NOW)))).toBe('4001000568656c6c6f');
  });

  test('ChannelData of a stream is padded', () => {
    const { turn, client, socket } = ready({ stream: true });
    client.bind(0x4001, PEER);
    expect(asHex(toClient(turn.handle({ kind: 'from-peer', socket, source: PEER, bytes: DATA }, NOW)))).toBe('4001000568656c6c6f000000');
  });

  test('a Send indication goes to the peer bare, and comes back as a Data indication', () => {
    const { turn, client, socket } = ready();
    expect(client.permit(PEER)).toBe('0108');
    expect(kinds(client.say(hex(`0016001c 2112a442 ${TRANSACTION} 00120008 0001bd52 291aa046 00130005 68656c6c 6f000000 80220000`)))).toEqual(['to-peer']);
    const data = toClient(turn.handle({ kind: 'from-peer', socket, source: PEER, bytes: DATA }, NOW))!;
    expect(asHex(data.subarray(0, 4)) + asHex(data.subarray(20))!).toBe(asHex(hex('00170018 00120008 0001bd52 291aa046 00130005 68656c6c 6f000000')));
  });
});

describe('credentials', () => {
  test('are asked for at every request, and 420, 437 or 403 only told to those who have them', () => {
    const turn = testTurn();
    for (const type of [ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND]) {
      const bytes = writeMessage({ type, transaction: newTransaction(), attributes: [UDP_TRANSPORT, { type: 0x7fff, value: new Uint8Array(0) }], fingerprint: false });
      expect(gist(new BrainClient(turn).ask(bytes))).toBe(401);
    }
    expect(new BrainClient(turn).request(REFRESH)).toBe(437);
  });

  test('that are wrong, expired, of another server, or altered on the way are refused', () => {
    const turn = testTurn();
    const good = credential(NOW);
    const tries = {
      wrong: { ...good, password: 'guess' },
      renamed: { ...good, username: `${Number.parseInt(good.username, 10) + 1}${good.username.slice(10)}` },
      nameless: { ...good, username: 'alice' },
      expired: credential(NOW - 600_000),
    };
    for (const [name, from] of Object.entries(tries)) expect(new BrainClient(turn, { from }).request(ALLOCATE, [UDP_TRANSPORT]), name).toBe(401);
    const client = new BrainClient(testTurn({ limits: { ...LIMITS, strangersPerSecond: 10_000 } }), { from: good });
    const request = client.write(ALLOCATE, [UDP_TRANSPORT]);
    for (let bit = 20 * 8; bit < request.length * 8; bit += 1) {
      const altered = request.slice();
      altered[bit >> 3]! ^= 1 << (bit & 7);
      expect(kinds(client.say(altered)).includes('open'), `bit ${bit}`).toBe(false);
    }
    expect(kinds(client.say(request))).toContain('open');
  });

  test('vouch for what stands before them and for nothing behind', () => {
    const { client } = ready();
    const transaction = newTransaction();
    const short = client.write(CREATE_PERMISSION, [], transaction);
    const long = hex(`${asHex(short)} 00120008 0001bd52 ${asHex(peerOf(PEER, transaction).value.subarray(4))}`);
    new DataView(long.buffer).setUint16(2, long.length - 20);
    expect(gist(client.ask(long))).toBe(400);
    expect(client.send(PEER, DATA)).toEqual([]);
  });

  test('that expire do not end the allocation that they made', () => {
    const { client } = ready();
    client.now += 599_000;
    expect(client.request(REFRESH, [seconds(3_600)])).toBe('0104');
    client.now += 600_000;
    // The nonce is old now, and the new one is taken from the refusal.
    expect(client.request(REFRESH)).toBe(438);
  });

  test('of somebody else do not reach an allocation', () => {
    const { turn, client } = ready();
    expect(new BrainClient(turn, { source: client.flow.source }).request(REFRESH)).toBe(441);
  });

  test('are good at the address and port to which the nonce was given, for ten minutes at least and twenty at most', () => {
    const turn = testTurn();
    const client = new BrainClient(turn);
    client.write(ALLOCATE);
    client.now += 600_000;
    expect(client.request(REFRESH)).toBe(437);
    client.now += 600_000;
    expect(client.request(REFRESH)).toBe(438);
    const stolen = new BrainClient(turn).write(REFRESH);
    for (const source of [{ address: '192.0.2.10', port: 5_000 }, { address: '192.0.2.9', port: 5_001 }]) {
      expect(gist(new BrainClient(turn, { source }).ask(stolen))).toBe(438);
    }
    expect(gist(new BrainClient(turn).ask(stolen))).toBe(437);
  });

  test('are those of RFC 5389, whatever of RFC 8489 a client tries unasked', () => {
    const { turn, client } = ready();
    const sha256 = { type: 0x001c, value: new Uint8Array(32) };
    const stranger = new BrainClient(turn, { source: { address: '192.0.2.10', port: 1 } });
    expect(gist(stranger.ask(writeMessage({ type: ALLOCATE, transaction: newTransaction(), attributes: [UDP_TRANSPORT, sha256], fingerprint: false })))).toBe(401);
    for (const type of [0x001d, 0x001e, 0x8002]) {
      const answer = client.ask(client.write(REFRESH, [{ type, value: new Uint8Array(4) }]));
      expect(gist(answer), type.toString(16)).toBe(type < 0x8000 ? 420 : '0104');
    }
  });
});

describe('an allocation', () => {
  test('is refused as RFC 8656 §7.2 says', () => {
    const client = new BrainClient(testTurn({ relayed: { 4: SERVER, 6: null } }));
    const token = { type: attribute.RESERVATION_TOKEN, value: new Uint8Array(8) };
    const even = { type: attribute.EVEN_PORT, value: Uint8Array.of(0x80) };
    expect(client.request(ALLOCATE)).toBe(400);
    expect(client.request(ALLOCATE, [{ type: attribute.REQUESTED_TRANSPORT, value: Uint8Array.of(6, 0, 0, 0) }])).toBe(442);
    expect(client.request(ALLOCATE, [UDP_TRANSPORT, V6_FAMILY])).toBe(440);
    expect(client.request(ALLOCATE, [UDP_TRANSPORT, token, even])).toBe(400);
    expect(client.request(ALLOCATE, [UDP_TRANSPORT, token])).toBe(508);
    expect(client.request(ALLOCATE, [UDP_TRANSPORT, { type: 0x001a, value: new Uint8Array(0) }])).toBe(420);
    client.allocate(50_000);
    expect(client.request(ALLOCATE, [UDP_TRANSPORT])).toBe(437);
  });

  test('is announced again, alike, to a client that did not hear it, and so is its end', () => {
    const turn = testTurn();
    const client = new BrainClient(turn);
    const allocate = client.write(ALLOCATE, [UDP_TRANSPORT]);
    expect(kinds(client.say(allocate))).toContain('open');
    expect(client.say(allocate)).toEqual([]);
    const first = toClient(turn.handle({ kind: 'opened', socket: 1, port: 50_000, reserved: null }, NOW));
    expect(gist(first)).toBe('0103');
    client.now += 5_000;
    expect(client.ask(allocate)).toEqual(first);
    // Not to somebody who has but seen the request.
    const bare = writeMessage({ type: ALLOCATE, transaction: allocate.slice(8, 20), attributes: [], fingerprint: false });
    expect(onWire(client.ask(bare) ?? bare, client.flow.source) / onWire(bare, client.flow.source)).toBeLessThanOrEqual(1.5);
    const end = client.write(REFRESH, [seconds(0)]);
    const ended = client.say(end);
    expect(kinds(ended)).toEqual(['close', 'to-client']);
    expect(client.say(end)).toEqual([{ ...ended[1] }]);
    expect(client.request(REFRESH)).toBe(437);
  });

  test('has the lifetime that was asked for within bounds, and its socket is closed after it', () => {
    const { turn, client, socket } = ready();
    for (const [asked, granted] of [[1, 600], [601, 601], [100_000, 3_600]] as const) expect(lifetimeOf(client.ask(client.write(REFRESH, [seconds(asked)])))).toBe(granted);
    expect(turn.handle({ kind: 'wake' }, NOW + 3_599_999)).toEqual([{ kind: 'wake', at: NOW + 3_600_999 }]);
    expect(turn.handle({ kind: 'wake' }, NOW + 3_600_000)).toEqual([{ kind: 'close', socket }]);
  });

  test('ends with its stream, also while its socket is being opened', () => {
    const turn = testTurn();
    const client = new BrainClient(turn, { stream: true });
    client.say(client.write(ALLOCATE, [UDP_TRANSPORT]));
    expect(turn.handle({ kind: 'ended', flow: client.flow }, NOW)).toEqual([]);
    expect(turn.handle({ kind: 'opened', socket: 1, port: 50_000, reserved: null }, NOW)).toEqual([{ kind: 'close', socket: 1 }]);
    const socket = client.allocate(50_001);
    expect(turn.handle({ kind: 'ended', flow: client.flow }, NOW)).toEqual([{ kind: 'close', socket }]);
  });

  test('that the system has no port for is refused with 508', () => {
    const turn = testTurn();
    const client = new BrainClient(turn);
    client.say(client.write(ALLOCATE, [UDP_TRANSPORT]));
    expect(gist(toClient(turn.handle({ kind: 'not-opened', socket: 1 }, NOW)))).toBe(508);
    client.allocate(50_000);
  });

  test('at an even port keeps the next one for whoever has the token, once and for 30 seconds', () => {
    const turn = testTurn();
    const from = credential(NOW);
    const even = { type: attribute.EVEN_PORT, value: Uint8Array.of(0x80) };
    const token = hex('0102030405060708');
    const reserve = (port: number): void => {
      const client = new BrainClient(turn, { from, source: { address: '192.0.2.9', port } });
      const open = client.say(client.write(ALLOCATE, [UDP_TRANSPORT, even])).find((output) => output.kind === 'open');
      const pair = open!.pair!;
      expect(open).toMatchObject({ even: true });
      const answer = parseMessage(toClient(turn.handle({ kind: 'opened', socket: open!.socket, port: 50_000 + 2 * port, reserved: { socket: pair, token } }, NOW))!)!;
      expect(asHex(valueOf(answer, attribute.RESERVATION_TOKEN)!)).toBe(asHex(token));
    };
    reserve(1);
    const redeem = [UDP_TRANSPORT, { type: attribute.RESERVATION_TOKEN, value: token }];
    expect(new BrainClient(turn).request(ALLOCATE, redeem)).toBe(508);
    const second = new BrainClient(turn, { from, source: { address: '192.0.2.9', port: 2 } });
    expect(relayedOf(parseMessage(second.ask(second.write(ALLOCATE, redeem))!)!)).toEqual({ address: SERVER, port: 50_003 });
    const third = new BrainClient(turn, { from, source: { address: '192.0.2.9', port: 3 } });
    expect(third.request(ALLOCATE, redeem)).toBe(508);
    reserve(4);
    third.now += 30_000;
    expect(third.request(ALLOCATE, redeem)).toBe(508);
    expect(turn.handle({ kind: 'wake' }, NOW + 30_000)).toContainEqual({ kind: 'close', socket: 4 });
  });

  test('for which no family was asked is of IPv4, and of IPv6 where the server has nothing else', () => {
    for (const [relayed, family] of [[{ 4: SERVER, 6: SERVER_V6 }, 4], [{ 4: null, 6: SERVER_V6 }, 6]] as const) {
      const client = new BrainClient(testTurn({ relayed }));
      expect(client.say(client.write(ALLOCATE, [UDP_TRANSPORT]))).toContainEqual(expect.objectContaining({ kind: 'open', family }));
    }
  });

  test('of IPv6 has an IPv6 address and IPv6 peers alone', () => {
    const { turn } = ready();
    const client = new BrainClient(turn, { source: { address: '2001:db8::9', port: 9 } });
    turn.handle({ kind: 'came', address: '2600::1' }, NOW);
    const socket = client.allocate(50_007, [UDP_TRANSPORT, V6_FAMILY]);
    expect(client.permit(PEER)).toBe(443);
    expect(client.permit({ address: '2600::1', port: 1 })).toBe('0108');
    expect(client.send({ address: '2600::1', port: 7 }, DATA)).toMatchObject([{ kind: 'to-peer', socket, to: { address: '2600::1', port: 7 } }]);
    expect(client.request(REFRESH, [V6_FAMILY])).toBe('0104');
    expect(client.request(REFRESH, [{ type: attribute.REQUESTED_ADDRESS_FAMILY, value: Uint8Array.of(1, 0, 0, 0) }])).toBe(443);
  });
});

describe('permissions and channels', () => {
  test('let nothing in or out before they are there, nor after their time', () => {
    const { turn, client, socket } = ready();
    const hear = () => toClient(turn.handle({ kind: 'from-peer', socket, source: PEER, bytes: DATA }, client.now));
    expect([client.send(PEER, DATA), hear()]).toEqual([[], null]);
    client.permit(PEER);
    expect(kinds(client.send(PEER, DATA))).toEqual(['to-peer']);
    expect(gist(hear())).toBe('0017');
    client.now += 300_000;
    expect([client.send(PEER, DATA), hear()]).toEqual([[], null]);
    client.permit(PEER);
    expect(kinds(client.send(PEER, DATA))).toEqual(['to-peer']);
  });

  test('a channel lives for ten minutes, and its permission for five', () => {
    const { turn, client, socket } = ready();
    client.request(REFRESH, [seconds(3_600)]);
    client.bind(0x4000, PEER);
    const hear = () => asHex(toClient(turn.handle({ kind: 'from-peer', socket, source: PEER, bytes: DATA }, client.now)))?.slice(0, 4) ?? null;
    expect(hear()).toBe('4000');
    client.now += 300_000;
    expect([hear(), client.say(hex('40000001 00'))]).toEqual([null, []]);
    client.permit(PEER);
    expect(hear()).toBe('4000');
    client.now += 299_999;
    expect(hear()).toBe('4000');
    client.now += 1;
    client.permit(PEER);
    expect(hear()).toBe('0017');
    expect(client.bind(0x4001, PEER)).toBe('0109');
  });

  test('are refused as RFC 8656 §10.2 and §12.2 say', () => {
    const { client } = ready();
    const transaction = newTransaction();
    expect(client.permit()).toBe(400);
    expect(client.permit(PEER, { address: '10.0.0.1', port: 1 })).toBe(403);
    expect(client.send(PEER, DATA)).toEqual([]);
    expect(client.request(CHANNEL_BIND, [channelOf(0x4000)])).toBe(400);
    expect(gist(client.ask(client.write(CHANNEL_BIND, [peerOf(PEER, transaction)], transaction)))).toBe(400);
    expect(client.bind(0x3fff, PEER)).toBe(400);
    expect(client.bind(0x8000, PEER)).toBe(400);
    expect(client.bind(0x4000, PEER)).toBe('0109');
    expect(client.bind(0x4000, PEER)).toBe('0109');
    expect(client.bind(0x4001, PEER)).toBe(400);
    expect(client.bind(0x4000, { ...PEER, port: 1 })).toBe(400);
    expect(client.bind(0x4001, { ...PEER, port: 1 })).toBe('0109');
  });

  test('a Send indication that asks for something unknown, or is not whole, is passed over', () => {
    const { client } = ready();
    client.permit(PEER);
    const transaction = newTransaction();
    const parts = [peerOf(PEER, transaction), { type: attribute.DATA, value: DATA }];
    const say = (attributes: typeof parts) => kinds(client.say(writeMessage({ type: SEND_INDICATION, transaction, attributes, fingerprint: true })));
    expect(say(parts)).toEqual(['to-peer']);
    for (const wrong of [parts.slice(0, 1), parts.slice(1), [...parts, { type: 0x001a, value: new Uint8Array(0) }], [{ ...parts[0]!, value: new Uint8Array(3) }, parts[1]!]]) {
      expect(say(wrong)).toEqual([]);
    }
    expect(client.say(hex('40000005 6868'))).toEqual([]);
  });

  test('join two allocations of this server without a packet, where both have let the other in', () => {
    const { turn, client } = ready();
    const other = new BrainClient(turn, { source: { address: '192.0.2.20', port: 2 } });
    other.allocate(50_001);
    const [mine, theirs] = [{ address: SERVER, port: 50_000 }, { address: SERVER, port: 50_001 }];
    expect(client.bind(0x4000, theirs)).toBe('0109');
    expect(client.say(hex('40000001 2a'))).toEqual([]);
    expect(other.permit(mine)).toBe('0108');
    const [out] = client.say(hex('40000001 2a'));
    expect(out).toMatchObject({ kind: 'to-client', flow: other.flow });
    expect(gist(toClient([out!]))).toBe('0017');
    const [back] = other.send(mine, DATA);
    expect(asHex(toClient([back!]))).toBe('4000000568656c6c6f');
    expect(back).toMatchObject({ flow: client.flow });
    other.request(REFRESH, [seconds(0)]);
    expect(client.say(hex('40000001 2a'))).toEqual([]);
  });
});

describe('limits', () => {
  test('hold for allocations of a credential and of the server', () => {
    const turn = testTurn({ limits: { ...LIMITS, allocations: 3, allocationsPerCredential: 2 } });
    const from = credential(NOW);
    const clients = [1, 2, 3].map((port) => new BrainClient(turn, { from, source: { address: '192.0.2.9', port } }));
    clients[0]!.allocate(50_000);
    clients[1]!.allocate(50_001);
    expect(clients[2]!.request(ALLOCATE, [UDP_TRANSPORT])).toBe(486);
    new BrainClient(turn, { source: { address: '192.0.2.9', port: 4 } }).allocate(50_002);
    expect(new BrainClient(turn, { source: { address: '192.0.2.9', port: 5 } }).request(ALLOCATE, [UDP_TRANSPORT])).toBe(508);
    clients[0]!.request(REFRESH, [seconds(0)]);
    clients[2]!.allocate(50_003);
  });

  test('hold for allocations of an address, or IPv6 /64, whatever their credentials, and what is given back makes room', () => {
    const turn = testTurn({ limits: { ...LIMITS, allocationsPerSource: 2 } });
    const at = (address: string, port: number) => new BrainClient(turn, { source: { address, port } });
    for (const [address, neighbour, stranger] of [['192.0.2.9', '192.0.2.9', '192.0.2.10'], ['2001:db8:7:7::1', '2001:db8:7:7:1::', '2001:db8:7:8::1']] as const) {
      const first = at(address, 1);
      first.allocate(50_000);
      at(neighbour, 2).allocate(50_001);
      expect(at(address, 3).request(ALLOCATE, [UDP_TRANSPORT])).toBe(486);
      at(stranger, 4).allocate(50_002);
      first.request(REFRESH, [seconds(0)]);
      at(neighbour, 5).allocate(50_003);
    }
  });

  test('hold for permissions and channels of an allocation, and what has expired makes room', () => {
    const { turn, client } = ready({ limits: { ...LIMITS, permissionsPerAllocation: 2, channelsPerAllocation: 2 } });
    const peers = ['8.8.8.1', '8.8.8.2', '8.8.8.3'].map((address) => ({ address, port: 1 }));
    for (const { address } of peers) turn.handle({ kind: 'came', address }, NOW);
    expect(client.permit(...peers)).toBe(508);
    expect(client.permit(peers[0]!, peers[1]!, { ...peers[0]!, port: 2 })).toBe('0108');
    expect(client.permit(peers[2]!)).toBe(508);
    expect(client.bind(0x4000, peers[2]!)).toBe(508);
    client.now += 300_000;
    expect(client.bind(0x4000, peers[2]!)).toBe('0109');
    expect(client.bind(0x4001, { ...peers[2]!, port: 2 })).toBe('0109');
    expect(client.bind(0x4002, { ...peers[2]!, port: 3 })).toBe(508);
  });

  test('hold for the bytes of an allocation, and of all together', () => {
    for (const limits of [{ ...LIMITS, bytesPerSecondPerAllocation: 1_000 }, { ...LIMITS, bytesPerSecond: 1_000 }]) {
      const { client } = ready({ limits });
      client.permit(PEER);
      const sent = () => Array.from({ length: 20 }, () => client.send(PEER, new Uint8Array(100)).length).filter((count) => count > 0).length;
      expect(sent()).toBe(10);
      client.now += 500;
      expect(sent()).toBe(5);
    }
  });

  test('hold for strangers by their address, and leave others and allocations alone', () => {
    const { turn, client } = ready({ limits: { ...LIMITS, strangersPerSecond: 1 } });
    const request = hex(`00010000 2112a442 ${TRANSACTION}`);
    const ask = (address: string, port: number) => turn.handle({ kind: 'from-client', flow: { listener: 0, source: { address, port } }, bytes: request }, NOW).length;
    const flood = (prefix: string) => Array.from({ length: 100 }, (_, port) => ask(prefix.replace('*', `${port}`), port)).reduce((sum, count) => sum + count);
    expect(flood('192.0.2.77')).toBe(10);
    expect(flood('2001:db8:7:7::*')).toBe(10);
    expect(flood('192.0.2.78')).toBe(10);
    expect(ask('192.0.2.77', 1)).toBe(0);
    expect(gist(client.ask(request))).toBe('0101');
    expect(client.request(REFRESH)).toBe('0104');
  });

  test('every address form of a peer gets past the codec, so that policy sees it', () => {
    const { turn } = ready();
    const client = new BrainClient(turn, { source: { address: '192.0.2.50', port: 9 } });
    client.allocate(50_009, [UDP_TRANSPORT, V6_FAMILY]);
    expect(client.permit({ address: SERVER_V6, port: 50_009 })).toBe('0108');
    expect(client.permit({ address: SERVER_V6, port: 22 })).toBe(403);
    expect(writeSend(PEER, DATA).length).toBe(44);
    expect(client.request(REFRESH, [NO_ATTRIBUTE])).toBe('0104');
  });
});
