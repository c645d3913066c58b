// The brain of the TURN server, without sockets or time: golden frames, and what RFC 8656 asks of it.

import { describe, expect, test } from 'vitest';
import * as attribute from '../../../relay/turn/attribute.js';
import { Frames, readChannel, readChannelData, writeChannelData } from '../../../relay/turn/frame.js';
import { LIMITS } from '../../../relay/turn/limits.js';
import { ALLOCATE, CHANNEL_BIND, parseMessage, REFRESH, SEND_INDICATION, valueOf, writeMessage } from '../../../relay/turn/message.js';
import {
  asHex, BrainClient, channelOf, credential, DATA, gist, hex, kinds, newTransaction, NOW, onWire, PEER, peerOf, ready, relayedOf, seconds, SERVER, SERVER_V6, testTurn, toClient, UDP_TRANSPORT, V4_FAMILY,
  V6_FAMILY, writeSend,
} from './support.js';

const TRANSACTION = 'b7e7a701 bc34d686 fa87dfae';
const NO_ATTRIBUTE = { type: attribute.LIFETIME, value: attribute.lifetime(600) };

const lifetimeOf = (bytes: Uint8Array | null) => attribute.readLifetime(valueOf(parseMessage(bytes!)!, attribute.LIFETIME)!);

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

test('a stream is cut into messages, however it comes, and ends where it is neither STUN nor ChannelData', () => {
  const messages = [
    `00010000 2112a442 ${TRANSACTION}`, `00010004 2112a442 ${TRANSACTION} 80220000`, '40010005 68656c6c 6f000000', '7fff0000', '40000004 68656c6c', `40000102 ${'00'.repeat(260)}`,
    `00010104 2112a442 ${TRANSACTION} 80220100 ${'00'.repeat(256)}`, '40000001 00000000',
  ].map(hex);
  const stream = hex(messages.map(asHex).join(''));
  for (const size of [1, 3, 7, stream.length]) {
    const frames = new Frames();
    const cut: (string | null)[] = [];
    for (let at = 0; at < stream.length; at += size) cut.push(...frames.push(stream.slice(at, at + size))!.map(asHex));
    expect(cut).toEqual(messages.map(asHex));
  }
  for (const neither of ['80000000', 'c0000000', '00010001', '3fff0002', 'ffffffff']) expect(new Frames().push(hex(neither)), neither).toBeNull();
  expect(new Frames().push(hex('3fff0000'))).toEqual([]);
  expect(new Frames().push(hex('800000'))).toEqual([]);
});

test('ChannelData has the length that it says, and of a stream the next multiple of four', () => {
  for (const length of [0, 1, 2, 3, 4, 5, 255, 256, 257, 1_027]) {
    const data = new Uint8Array(length).fill(7);
    const [bare, padded] = [false, true].map((pad) => new Uint8Array(writeChannelData(0x4abc, data, pad)));
    expect([bare!.length, padded!.length]).toEqual([4 + length, 4 + 4 * Math.ceil(length / 4)]);
    for (const bytes of [bare!, padded!]) expect([readChannel(bytes), asHex(readChannelData(bytes))]).toEqual([0x4abc, asHex(data)]);
    expect(padded!.subarray(4 + length).every((byte) => byte === 0)).toBe(true);
    if (length > 0) expect(readChannelData(bare!.subarray(0, -1))).toBeNull();
  }
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
    expect(client.request(ALLOCATE, [UDP_TRANSPORT, token, V4_FAMILY])).toBe(400);
    expect(client.request(ALLOCATE, [UDP_TRANSPORT, { ...token, value: new Uint8Array(7) }])).toBe(400);
    expect(client.request(ALLOCATE, [UDP_TRANSPORT, { ...even, value: new Uint8Array(0) }])).toBe(400);
    expect(client.request(ALLOCATE, [UDP_TRANSPORT, { ...V4_FAMILY, value: new Uint8Array(3) }])).toBe(400);
    expect(client.request(ALLOCATE, [UDP_TRANSPORT, { ...V4_FAMILY, value: Uint8Array.of(3, 0, 0, 0) }])).toBe(440);
    for (const length of [0, 3, 5]) expect(client.request(ALLOCATE, [UDP_TRANSPORT, { ...seconds(1), value: new Uint8Array(length) }])).toBe(400);
    expect(client.request(ALLOCATE, [UDP_TRANSPORT, { type: 0x001a, value: new Uint8Array(0) }])).toBe(420);
    client.allocate(50_000);
    expect(client.request(ALLOCATE, [UDP_TRANSPORT])).toBe(437);
    expect(client.request(REFRESH, [{ ...seconds(1), value: new Uint8Array(3) }])).toBe(400);
  });

  test('says what it does not know', () => {
    const { client } = ready();
    const answer = parseMessage(client.ask(client.write(REFRESH, [0x001a, 0x7fff].map((type) => ({ type, value: new Uint8Array(0) }))))!)!;
    expect(asHex(valueOf(answer, attribute.UNKNOWN_ATTRIBUTES)!)).toBe('001a7fff');
  });

  test('is none yet while its socket is being opened', () => {
    const turn = testTurn();
    turn.handle({ kind: 'came', address: PEER.address }, NOW);
    const client = new BrainClient(turn);
    client.say(client.write(ALLOCATE, [UDP_TRANSPORT]));
    expect([client.request(REFRESH), client.permit(PEER), client.bind(0x4000, PEER)]).toEqual([437, 437, 437]);
    expect(client.send(PEER, DATA)).toEqual([]);
  });

  test('is of one client, whatever others have the same port, and ends for nobody else', () => {
    const turn = testTurn();
    const clients = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address) => new BrainClient(turn, { source: { address, port: 5_000 } }));
    for (const [index, client] of clients.entries()) client.allocate(50_000 + index);
    const [first, ...others] = clients;
    expect(first!.request(REFRESH, [seconds(0)])).toBe('0104');
    expect(others.map((client) => client.request(REFRESH))).toEqual(['0104', '0104']);
    expect(first!.request(REFRESH)).toBe(437);
    const elsewhere = { listener: 1, source: others[0]!.flow.source };
    expect(gist(toClient(turn.handle({ kind: 'from-client', flow: elsewhere, bytes: others[0]!.write(REFRESH) }, NOW)))).toBe(437);
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

  test('has the lifetime that was asked for from the start', () => {
    const turn = testTurn();
    for (const [port, asked, granted] of [[1, [], 600], [2, [seconds(3_600)], 3_600]] as const) {
      const client = new BrainClient(turn, { source: { address: '192.0.2.9', port } });
      const { socket } = client.say(client.write(ALLOCATE, [UDP_TRANSPORT, ...asked])).find((output) => output.kind === 'open')!;
      expect(lifetimeOf(toClient(turn.handle({ kind: 'opened', socket, port: 50_000 + port, reserved: null }, NOW)))).toBe(granted);
      expect(kinds(turn.handle({ kind: 'wake' }, NOW + granted * 1_000 - 1))).toEqual(['wake']);
      expect(turn.handle({ kind: 'wake' }, NOW + granted * 1_000)).toContainEqual({ kind: 'close', socket });
    }
  });

  test('ends with its stream, also while its socket is being opened', () => {
    const turn = testTurn();
    const client = new BrainClient(turn, { stream: true });
    client.say(client.write(ALLOCATE, [UDP_TRANSPORT]));
    expect(turn.handle({ kind: 'ended', flow: client.flow }, NOW)).toEqual([]);
    expect(turn.handle({ kind: 'opened', socket: 1, port: 50_000, reserved: null }, NOW)).toEqual([{ kind: 'close', socket: 1 }]);
    const socket = client.allocate(50_001);
    expect(turn.handle({ kind: 'ended', flow: client.flow }, NOW)).toEqual([{ kind: 'close', socket }]);
    expect(turn.handle({ kind: 'ended', flow: client.flow }, NOW)).toEqual([]);
    expect(turn.handle({ kind: 'from-peer', socket, source: PEER, bytes: DATA }, NOW)).toEqual([]);
    const pair = client.say(client.write(ALLOCATE, [UDP_TRANSPORT, { type: attribute.EVEN_PORT, value: Uint8Array.of(0x80) }])).find((output) => output.kind === 'open')!;
    turn.handle({ kind: 'ended', flow: client.flow }, NOW);
    const reserved = { socket: pair.pair!, token: new Uint8Array(8) };
    expect(turn.handle({ kind: 'opened', socket: pair.socket, port: 50_000, reserved }, NOW)).toEqual([{ kind: 'close', socket: pair.socket }, { kind: 'close', socket: pair.pair }]);
  });

  test('that the system has no port for is refused with 508', () => {
    const turn = testTurn();
    const client = new BrainClient(turn);
    client.say(client.write(ALLOCATE, [UDP_TRANSPORT]));
    expect(gist(toClient(turn.handle({ kind: 'not-opened', socket: 1 }, NOW)))).toBe(508);
    const stream = new BrainClient(turn, { stream: true });
    const { socket } = stream.say(stream.write(ALLOCATE, [UDP_TRANSPORT])).find((output) => output.kind === 'open')!;
    turn.handle({ kind: 'ended', flow: stream.flow }, NOW);
    expect(turn.handle({ kind: 'not-opened', socket }, NOW)).toEqual([]);
    client.allocate(50_000);
  });

  test('asks to be looked after every second, once for all', () => {
    const turn = testTurn();
    const [first, second] = [1, 2].map((port) => new BrainClient(turn, { source: { address: '192.0.2.9', port } }));
    expect(kinds(first!.say(first!.write(ALLOCATE, [UDP_TRANSPORT])))).toEqual(['wake', 'open']);
    expect(kinds(second!.say(second!.write(ALLOCATE, [UDP_TRANSPORT])))).toEqual(['open']);
    expect(turn.handle({ kind: 'wake' }, NOW + 1_000)).toEqual([{ kind: 'wake', at: NOW + 2_000 }]);
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
    expect(turn.handle({ kind: 'wake' }, NOW + 29_999)).not.toContainEqual({ kind: 'close', socket: 4 });
    expect(turn.handle({ kind: 'wake' }, NOW + 30_000)).toContainEqual({ kind: 'close', socket: 4 });
    expect(turn.handle({ kind: 'wake' }, NOW + 30_001)).not.toContainEqual({ kind: 'close', socket: 4 });
  });

  test('at a port that was kept has the family of the one beside it, and room where the server is full', () => {
    const turn = testTurn({ limits: { ...LIMITS, allocations: 2 } });
    const from = credential(NOW);
    const [first, second, third] = [1, 2, 3].map((port) => new BrainClient(turn, { from, source: { address: '192.0.2.9', port } }));
    const even = { type: attribute.EVEN_PORT, value: Uint8Array.of(0x80) };
    const token = hex('0102030405060708');
    first!.allocate(50_000);
    expect(second!.request(ALLOCATE, [UDP_TRANSPORT, even])).toBe(508);
    first!.request(REFRESH, [seconds(0)]);
    const open = second!.say(second!.write(ALLOCATE, [UDP_TRANSPORT, even, V6_FAMILY])).find((output) => output.kind === 'open')!;
    turn.handle({ kind: 'opened', socket: open.socket, port: 50_002, reserved: { socket: open.pair!, token } }, NOW);
    expect(first!.request(ALLOCATE, [UDP_TRANSPORT])).toBe(508);
    const answer = third!.ask(third!.write(ALLOCATE, [UDP_TRANSPORT, { type: attribute.RESERVATION_TOKEN, value: token }]));
    expect(relayedOf(parseMessage(answer!)!)).toEqual({ address: SERVER_V6, port: 50_003 });
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

  test('a channel that has had its time says nothing more, and is free for another peer', () => {
    const { turn, client, socket } = ready();
    turn.handle({ kind: 'came', address: '8.8.8.8' }, NOW);
    client.request(REFRESH, [seconds(3_600)]);
    client.bind(0x4000, PEER);
    client.now += 299_999;
    client.permit(PEER);
    client.now += 300_000;
    client.permit(PEER);
    const said = () => [kinds(client.say(hex('40000001 00'))), asHex(toClient(turn.handle({ kind: 'from-peer', socket, source: PEER, bytes: DATA }, client.now)))?.slice(0, 4)];
    expect(said()).toEqual([['to-peer'], '4000']);
    client.now += 1;
    expect(said()).toEqual([[], '0017']);
    const other = { ...PEER, address: '8.8.8.8' };
    expect(client.bind(0x4000, other)).toBe('0109');
    expect(client.say(hex('40000001 00'))).toMatchObject([{ kind: 'to-peer', to: other }]);
    expect(client.bind(0x4001, PEER)).toBe('0109');
  });

  test('a channel that was bound again lives for ten minutes from then', () => {
    const { client } = ready();
    client.request(REFRESH, [seconds(3_600)]);
    client.bind(0x7fff, PEER);
    client.now += 500_000;
    client.bind(0x7fff, PEER);
    client.now += 299_999;
    expect(kinds(client.say(hex('7fff0001 00')))).toEqual(['to-peer']);
  });

  test('are refused as RFC 8656 §10.2 and §12.2 say', () => {
    const { turn, client } = ready();
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
    turn.handle({ kind: 'came', address: '8.8.8.8' }, NOW);
    expect(client.bind(0x4000, { ...PEER, address: '8.8.8.8' })).toBe(400);
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
    client.bind(0x4000, PEER);
    expect(client.say(hex('40000005 6868'))).toEqual([]);
    expect(new BrainClient(testTurn()).send(PEER, DATA)).toEqual([]);
  });

  test('Data indications have each a transaction of its own', () => {
    const { turn, client, socket } = ready();
    client.permit(PEER);
    const heard = Array.from({ length: 300 }, () => asHex(parseMessage(toClient(turn.handle({ kind: 'from-peer', socket, source: PEER, bytes: DATA }, NOW))!)!.transaction));
    expect(new Set(heard).size).toBe(300);
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
