// The STUN codec against the sample messages of RFC 5769 §2.1-2.3, and the server against the `stun` package as a client that
// shares no code with it.

import fc from 'fast-check';
import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import stun from 'stun';
import { parseIp } from '../../relay/turn/address.js';
import { answerBinding } from '../../relay/turn/binding.js';
import { BINDING_REQUEST, BINDING_SUCCESS, parseMessage, readXorAddress, writeMessage, XOR_MAPPED_ADDRESS, xorAddress } from '../../relay/turn/message.js';
import { startStun } from '../../relay/turn/server.js';
import { testRelay } from './support.js';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
const asHex = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('hex'));

const TRANSACTION = 'b7e7a701 bc34d686 fa87dfae';
const MESSAGE_INTEGRITY = 0x0008;

const REQUEST = hex(`
  00010058 2112a442 ${TRANSACTION}
  80220010 5354554e 20746573 7420636c 69656e74
  00240004 6e0001ff
  80290008 932ff9b1 51263b36
  00060009 6576746a 3a683676 59202020
  00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
  80280004 e57a3bcf`);

const RESPONSE_V4 = hex(`
  0101003c 2112a442 ${TRANSACTION}
  8022000b 74657374 20766563 746f7220
  00200008 0001a147 e112a643
  00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7
  80280004 c07d4c96`);

const RESPONSE_V6 = hex(`
  01010048 2112a442 ${TRANSACTION}
  8022000b 74657374 20766563 746f7220
  00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9
  00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41
  80280004 c8fb0b4c`);

const SOURCE = { ip: parseIp('192.0.2.1')!, port: 32_853 };
const BARE_REQUEST = hex(`00010000 2112a442 ${TRANSACTION}`);

describe('the messages of RFC 5769', () => {
  test('are read with every attribute, and their MESSAGE-INTEGRITY and FINGERPRINT are right', () => {
    const request = parseMessage(REQUEST)!;
    expect(request.type).toBe(BINDING_REQUEST);
    expect(asHex(request.transaction)).toBe(TRANSACTION.replaceAll(' ', ''));
    expect(request.attributes.map(({ type }) => type)).toEqual([0x8022, 0x0024, 0x8029, 0x0006, MESSAGE_INTEGRITY]);
    expect(Buffer.from(request.attributes[0]!.value).toString()).toBe('STUN test client');
    expect(Buffer.from(request.attributes[3]!.value).toString()).toBe('evtj:h6vY');
    expect(request.fingerprint).toBe(true);
    for (const sample of [REQUEST, RESPONSE_V4, RESPONSE_V6]) expect(integrityOf(sample)).toBe(asHex(parseMessage(sample)!.attributes.at(-1)!.value));
  });

  test('give their mapped addresses', () => {
    expect(mappedAddress(RESPONSE_V4)).toEqual({ ip: parseIp('192.0.2.1'), port: 32_853 });
    expect(mappedAddress(RESPONSE_V6)).toEqual({ ip: parseIp('2001:db8:1234:5678:11:2233:4455:6677'), port: 32_853 });
  });

  test('are written again to the same meaning, their addresses byte for byte', () => {
    for (const [sample, address] of [[RESPONSE_V4, '192.0.2.1'], [RESPONSE_V6, '2001:db8:1234:5678:11:2233:4455:6677']] as const) {
      const message = parseMessage(sample)!;
      // Not the same bytes, since the samples pad with spaces and we with zeros, and the checksum covers padding.
      expect(parseMessage(writeMessage(message))).toEqual(message);
      const value = message.attributes.find(({ type }) => type === XOR_MAPPED_ADDRESS)!.value;
      expect(asHex(xorAddress({ ip: parseIp(address)!, port: 32_853 }, message.transaction))).toBe(asHex(value));
    }
  });

  test('with one bit flipped anywhere are no messages any more', () => {
    for (const sample of [REQUEST, RESPONSE_V4, RESPONSE_V6]) {
      for (let bit = 0; bit < sample.length * 8; bit += 1) {
        const flipped = sample.slice();
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        const message = parseMessage(flipped);
        // A flipped type makes another attribute of FINGERPRINT; then nothing vouches for the rest.
        expect(message === null || !message.fingerprint).toBe(true);
      }
    }
  });
});

describe('a Binding request', () => {
  test('is answered with its source, and with FINGERPRINT if it has one', () => {
    expect(asHex(answerBinding(BARE_REQUEST, SOURCE))).toBe(asHex(hex(`0101000c 2112a442 ${TRANSACTION} 00200008 0001a147 e112a643`)));
    const answer = answerBinding(REQUEST, SOURCE)!;
    expect(parseMessage(answer)).toMatchObject({ type: BINDING_SUCCESS, fingerprint: true, attributes: { length: 1 } });
    expect(mappedAddress(answer)).toEqual(SOURCE);
  });

  test('that asks for something unknown is answered with 420 and what it is', () => {
    const answer = answerBinding(hex(`0001000c 2112a442 ${TRANSACTION} 00030004 00000006 7ffe0000`), SOURCE);
    expect(asHex(answer)).toBe(asHex(hex(`01110010 2112a442 ${TRANSACTION} 00090004 00000414 000a0004 00037ffe`)));
  });

  test('may carry what is optional', () => {
    const answer = answerBinding(hex(`00010008 2112a442 ${TRANSACTION} 80220004 74657374`), SOURCE);
    expect(parseMessage(answer!)?.type).toBe(BINDING_SUCCESS);
  });

  test('gets answers of the sizes that binding.ts names', () => {
    const v6 = { ip: parseIp('2001:db8::1')!, port: 1 };
    const printed = writeMessage({ type: BINDING_REQUEST, transaction: hex(TRANSACTION), attributes: [], fingerprint: true });
    expect([printed.length, answerBinding(printed, SOURCE)!.length, answerBinding(printed, v6)!.length]).toEqual([28, 40, 52]);
    expect([BARE_REQUEST.length, answerBinding(BARE_REQUEST, SOURCE)!.length, answerBinding(BARE_REQUEST, v6)!.length]).toEqual([20, 32, 44]);
    for (let unknown = 1; unknown <= 300; unknown += 1) {
      const attributes = Array.from({ length: unknown }, (_, index) => ({ type: 0x4000 + index, value: new Uint8Array(0) }));
      for (const fingerprint of [false, true]) {
        const request = writeMessage({ type: BINDING_REQUEST, transaction: hex(TRANSACTION), attributes, fingerprint });
        expect(answerBinding(request, SOURCE)!.length / request.length).toBeLessThanOrEqual(1.5);
      }
    }
  });

  test('is the only thing that is answered', () => {
    const others = [
      '', '00', '00010000', `00010000 2112a443 ${TRANSACTION}`, `00010004 2112a442 ${TRANSACTION}`, `00010000 2112a442 ${TRANSACTION} 00`,
      `00010000 2112a442 ${TRANSACTION} 00000000`, `80010000 2112a442 ${TRANSACTION}`, `00110000 2112a442 ${TRANSACTION}`,
      `01010000 2112a442 ${TRANSACTION}`, `00030000 2112a442 ${TRANSACTION}`, `00010004 2112a442 ${TRANSACTION} 80220004`,
      `00010008 2112a442 ${TRANSACTION} 80280004 00000000`, `0001000c 2112a442 ${TRANSACTION} 80280004 12345678 80220000`,
    ];
    for (const other of others) expect(asHex(answerBinding(hex(other), SOURCE)), other).toBe(null);
  });
});

test('addresses are read in every form that a socket gives them, and in no other', () => {
  const forms: Record<string, string | null> = {
    '127.0.0.1': '7f000001', '255.255.255.255': 'ffffffff', '::': '0'.repeat(32), '::1': `${'0'.repeat(31)}1`, 'fe80::1%eth0': `fe80${'0'.repeat(27)}1`,
    '1:2:3:4:5:6:7:8': '00010002000300040005000600070008', '1::': `0001${'0'.repeat(28)}`, '::ffff:192.0.2.1': '00000000000000000000ffffc0000201',
    '256.0.0.1': null, '1.2.3': null, '': null, '1:2:3:4:5:6:7': null, '1:2:3:4:5:6:7:8:9': null, '1:2:3:4::5:6:7:8': null, 'g::': null, '::12345': null, 'localhost': null,
  };
  for (const [text, bytes] of Object.entries(forms)) expect(asHex(parseIp(text)), text).toBe(bytes);
});

test('no bytes make the parser throw, and what it reads it can write again', () => {
  const samples = fc.constantFrom(REQUEST, RESPONSE_V4, RESPONSE_V6, BARE_REQUEST);
  const flipped = fc.tuple(samples, fc.array(fc.nat(), { maxLength: 3 })).map(([sample, places]) => {
    const copy = sample.slice();
    for (const place of places) copy[place % copy.length]! ^= 1 << (place & 7);
    return copy;
  });
  const cut = fc.tuple(samples, fc.nat()).map(([sample, at]) => sample.subarray(0, at % sample.length));
  const body = fc.uint8Array({ maxLength: 60 }).map((noise) => {
    const attributes = noise.subarray(0, noise.length & ~3);
    return Uint8Array.from([0, 1, 0, attributes.length, ...BARE_REQUEST.subarray(4), ...attributes]);
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), flipped, cut, body), (bytes) => {
      const message = parseMessage(bytes);
      if (message !== null) expect(parseMessage(writeMessage(message))).toEqual(message);
      answerBinding(bytes, SOURCE);
    }),
    { numRuns: 5_000 },
  );
});

describe('the STUN server', () => {
  test('tells an independent client its address, amid noise', async () => {
    const relay = await testRelay();
    const socket = createSocket('udp4');
    onTestFinished(() => void socket.close());
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    for (const noise of [new Uint8Array(1), new Uint8Array(1_400), REQUEST.subarray(0, 50)]) socket.send(noise, relay.stunPort, '127.0.0.1');
    const request = stun.createMessage(stun.constants.STUN_BINDING_REQUEST);
    const answered = once(socket, 'message');
    const asking = setInterval(() => socket.send(stun.encode(request), relay.stunPort, '127.0.0.1'), 50);
    const [answer] = (await answered) as [Buffer];
    clearInterval(asking);
    const message = stun.decode(answer);
    expect(message.type).toBe(stun.constants.STUN_BINDING_RESPONSE);
    expect(message.transactionId.equals(request.transactionId)).toBe(true);
    expect(message.getXorAddress()).toMatchObject({ address: '127.0.0.1', port: socket.address().port });
  });

  test('answers over IPv6 where the machine has it', async ({ skip }) => {
    const server = await startStun('::1', 0).catch(() => null);
    if (server === null) return skip('this machine has no IPv6 loopback');
    onTestFinished(() => server.close());
    const socket = createSocket('udp6');
    onTestFinished(() => void socket.close());
    const answered = once(socket, 'message');
    socket.send(BARE_REQUEST, server.port, '::1');
    const [answer] = (await answered) as [Buffer];
    expect(mappedAddress(answer)).toEqual({ ip: parseIp('::1'), port: socket.address().port });
  });

  test('takes a free port where the wanted one is taken', async () => {
    const first = await testRelay();
    const second = await testRelay({ stunPort: first.stunPort });
    expect(second.stunPort).not.toBe(first.stunPort);
    expect(second.stunPort).toBeGreaterThan(0);
  });
});

function mappedAddress(bytes: Uint8Array) {
  const message = parseMessage(new Uint8Array(bytes))!;
  return readXorAddress(message.attributes.find(({ type }) => type === XOR_MAPPED_ADDRESS)!.value, message.transaction);
}

/** MESSAGE-INTEGRITY (RFC 8489 §14.5) of a sample, whose password the RFC gives: over all before it, with a length that ends at it. */
function integrityOf(sample: Uint8Array): string {
  const covered = Buffer.from(sample.subarray(0, sample.length - 8 - 24));
  covered.writeUInt16BE(covered.length - 20 + 24, 2);
  return createHmac('sha1', 'VOkJxbRl1RmTxUk/WvJxBt').update(covered).digest('hex');
}
