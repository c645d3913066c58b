// Who may ask a TURN server: credentials, nonces, and answers that are given again. Through the brain, as a client meets it.

import { describe, expect, test } from 'vitest';
import { Answers } from '../../../relay/turn/access.js';
import * as attribute from '../../../relay/turn/attribute.js';
import { Nonces } from '../../../relay/turn/credential.js';
import { ANSWERS_MAX, LIMITS } from '../../../relay/turn/limits.js';
import { ALLOCATE, BINDING_REQUEST, CHANNEL_BIND, CREATE_PERMISSION, parseMessage, REFRESH, writeMessage } from '../../../relay/turn/message.js';
import { asHex, BrainClient, credential, DATA, gist, hex, KEY, keyOf, kinds, newTransaction, NOW, PEER, peerOf, ready, seconds, testTurn, toClient, UDP_TRANSPORT } from './support.js';

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

  test('need all three of user name, realm and nonce; who leaves one out is told neither realm nor nonce', () => {
    const client = new BrainClient(testTurn());
    const whole = parseMessage(client.write(ALLOCATE, [UDP_TRANSPORT]))!;
    for (const type of [attribute.USERNAME, attribute.REALM, attribute.NONCE]) {
      const request = writeMessage({ ...whole, attributes: whole.attributes.filter((one) => one.type !== type) }, keyOf(client.credential));
      const answer = client.ask(request);
      expect(gist(answer), type.toString(16)).toBe(400);
      expect(parseMessage(answer!)!.attributes.map((one) => one.type)).toEqual([attribute.ERROR_CODE]);
    }
    expect(kinds(client.say(writeMessage(whole, keyOf(client.credential))))).toContain('open');
  });

  test('that have expired make no allocation, but are good for asking about the one that they made', () => {
    const { client } = ready();
    client.request(REFRESH, [seconds(3_600)]);
    client.now += 600_000;
    expect(client.request(ALLOCATE, [UDP_TRANSPORT])).toBe(437);
    client.request(REFRESH, [seconds(0)]);
    expect(client.request(ALLOCATE, [UDP_TRANSPORT])).toBe(401);
  });

  test('are good until the last millisecond of their time', () => {
    for (const [madeAt, outcome] of [[NOW - 599_000, '0103'], [NOW - 600_000, 401]] as const) {
      const turn = testTurn();
      const client = new BrainClient(turn, { from: credential(madeAt) });
      client.now += outcome === 401 ? 0 : 999;
      const asked = client.request(ALLOCATE, [UDP_TRANSPORT]);
      expect(asked ?? gist(toClient(turn.handle({ kind: 'opened', socket: 1, port: 50_000, reserved: null }, client.now)))).toBe(outcome);
    }
  });
});

describe('an answer', () => {
  const binding = (): Uint8Array => writeMessage({ type: BINDING_REQUEST, transaction: newTransaction(), attributes: [], fingerprint: false });

  test('is given again, alike, for 40 seconds, whatever was asked meanwhile', () => {
    const { client } = ready();
    const refresh = client.write(REFRESH, [seconds(900)]);
    const answer = client.ask(refresh);
    expect([client.permit(PEER), gist(client.ask(binding()))]).toEqual(['0108', '0101']);
    client.request(REFRESH, [seconds(0)]);
    client.now += 39_999;
    expect(client.ask(refresh)).toEqual(answer);
    client.now += 1;
    expect(gist(client.ask(refresh))).toBe(437);
  });

  test('is remembered for so many requests, of which the oldest is forgotten first', () => {
    const answers = new Answers();
    const flow = { listener: 0, source: PEER };
    const transactions = Array.from({ length: ANSWERS_MAX + 1 }, () => newTransaction());
    for (const transaction of transactions) answers.set(flow, transaction, transaction, NOW);
    expect(transactions.filter((transaction) => answers.get(flow, transaction, NOW) !== transaction)).toEqual([transactions[0]]);
    expect(ANSWERS_MAX).toBe(10_000);
  });

  test('is of one flow: nobody at another address, port or ear gets it', () => {
    const answers = new Answers();
    const transaction = newTransaction();
    answers.set({ listener: 0, source: PEER }, transaction, DATA, NOW);
    for (const flow of [{ listener: 1, source: PEER }, { listener: 0, source: { ...PEER, port: 1 } }, { listener: 0, source: { ...PEER, address: '8.8.8.8' } }]) {
      expect(answers.get(flow, transaction, NOW)).toBeUndefined();
    }
    expect(answers.get({ listener: 0, source: PEER }, transaction, NOW)).toBe(DATA);
  });
});

test('a nonce is good in its ten minutes and the next, for its server, address and port, and in no other form', () => {
  const nonces = new Nonces(KEY);
  const start = 600_000 * 2_900_000;
  const nonce = nonces.give(PEER, start);
  const at = [-1, 0, 599_999, 1_199_999, 1_200_000].map((after) => nonces.isGood(nonce, PEER, start + after));
  expect(at).toEqual([false, true, true, true, false]);
  expect(new Nonces(new Uint8Array(32)).isGood(nonce, PEER, start)).toBe(false);
  for (const other of ['', nonce.slice(1), `${nonce}A`, `A${nonce}`, `${nonce.slice(0, 7)}\u0100`]) expect(nonces.isGood(other, PEER, start), other).toBe(false);
  // Every bit of it counts.
  for (let index = 0; index < nonce.length; index += 1) {
    const changed = `${nonce.slice(0, index)}${nonce[index] === 'A' ? 'B' : 'A'}${nonce.slice(index + 1)}`;
    expect(nonces.isGood(changed, PEER, start), changed).toBe(false);
  }
});
