// The STUN codec against the sample messages of RFC 5769 §2.1-2.3, and the server against the `stun` package as a client that
// shares no code with it.

import fc from 'fast-check';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { SocketAddress } from 'node:net';
import { createHash, createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import stun from 'stun';
import { formatIp, parseIp, subscriberOf, type Endpoint } from '../../../relay/turn/address.js';
import * as attribute from '../../../relay/turn/attribute.js';
import { readXorAddress, USERNAME, XOR_MAPPED_ADDRESS, xorAddress } from '../../../relay/turn/attribute.js';
import { answerBinding, mayAnswer } from '../../../relay/turn/binding.js';
import { BINDING_REQUEST, BINDING_SUCCESS, ERROR, isIntact, OPTIONAL_FROM, parseMessage, SUCCESS, valueOf, writeMessage } from '../../../relay/turn/message.js';
import { testRelay } from '../support.js';
import { asHex, gist, hex, onWire, testServer, testTurn } from './support.js';

const TRANSACTION = 'b7e7a701 bc34d686 fa87dfae';
const PASSWORD = Buffer.from('VOkJxbRl1RmTxUk/WvJxBt');

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

const LONG_TERM = hex(`
  00010060 2112a442 78ad3433 c6ad72c0 29da412e
  00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000
  0015001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341
  0014000b 6578616d 706c652e 6f726700
  00080014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666`);

const SOURCE = { address: '192.0.2.1', port: 32_853 };
const BARE_REQUEST = hex(`00010000 2112a442 ${TRANSACTION}`);

describe('the messages of RFC 5769', () => {
  test('are read with every attribute, and their MESSAGE-INTEGRITY and FINGERPRINT are right', () => {
    const request = parseMessage(REQUEST)!;
    expect(request.type).toBe(BINDING_REQUEST);
    expect(asHex(request.transaction)).toBe(TRANSACTION.replaceAll(' ', ''));
    expect(request.attributes.map(({ type }) => type)).toEqual([0x8022, 0x0024, 0x8029, 0x0006]);
    expect(Buffer.from(request.attributes[0]!.value).toString()).toBe('STUN test client');
    expect(Buffer.from(request.attributes[3]!.value).toString()).toBe('evtj:h6vY');
    expect(request.fingerprint).toBe(true);
    for (const sample of [REQUEST, RESPONSE_V4, RESPONSE_V6]) {
      expect(isIntact(sample, parseMessage(sample)!, PASSWORD)).toBe(true);
      expect(isIntact(sample, parseMessage(sample)!, Buffer.from('VOkJxbRl1RmTxUk/WvJxBu'))).toBe(false);
    }
    expect(isIntact(BARE_REQUEST, parseMessage(BARE_REQUEST)!, PASSWORD)).toBe(false);
    const long = new Uint8Array(createHmac('sha1', PASSWORD).update(hex(`0001011c 2112a442 ${TRANSACTION} 80220100 ${'00'.repeat(256)}`)).digest());
    expect(asHex(writeMessage({ type: BINDING_REQUEST, transaction: hex(TRANSACTION), attributes: [{ type: 0x8022, value: new Uint8Array(256) }], fingerprint: false }, PASSWORD).subarray(-20))).toBe(asHex(long));
  });

  test('of the long-term mechanism have the right MESSAGE-INTEGRITY for user name, realm and password', () => {
    const key = createHash('md5').update('\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9:example.org:TheMatrIX').digest();
    const message = parseMessage(LONG_TERM)!;
    expect(valueOf(message, USERNAME)).toHaveLength(18);
    expect(isIntact(LONG_TERM, message, key)).toBe(true);
    expect(asHex(writeMessage(message, key))).toBe(asHex(LONG_TERM));
  });

  test('give their mapped addresses', () => {
    expect(mappedAddress(RESPONSE_V4)).toEqual(SOURCE);
    expect(mappedAddress(RESPONSE_V6)).toEqual({ address: '2001:db8:1234:5678:11:2233:4455:6677', port: 32_853 });
  });

  test('are written again to the same meaning, their addresses byte for byte', () => {
    for (const [sample, address] of [[RESPONSE_V4, '192.0.2.1'], [RESPONSE_V6, '2001:db8:1234:5678:11:2233:4455:6677']] as const) {
      const message = parseMessage(sample)!;
      // Not the same bytes, since the samples pad with spaces and we with zeros, and the checksum covers padding.
      expect(parseMessage(writeMessage(message, PASSWORD))).toEqual(message);
      expect(asHex(xorAddress({ address, port: 32_853 }, message.transaction))).toBe(asHex(valueOf(message, XOR_MAPPED_ADDRESS)!));
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

describe('a message', () => {
  const parse = (text: string) => parseMessage(hex(text));

  test('begins with two zero bits and ends on a multiple of four bytes', () => {
    expect([`3fff0000 2112a442 ${TRANSACTION}`, `40000000 2112a442 ${TRANSACTION}`, `80010000 2112a442 ${TRANSACTION}`].map((text) => parse(text)?.type)).toEqual([0x3fff, undefined, undefined]);
    for (let more = 1; more < 4; more += 1) expect(parse(`0001000${more} 2112a442 ${TRANSACTION} ${'00'.repeat(more)}`)).toBeNull();
  });

  test('has one FINGERPRINT of four bytes, at its end', () => {
    const withChecksum = (head: string, checked: string, behind: string) => {
      const bytes = hex(`${head} 2112a442 ${TRANSACTION} ${checked} 00000000 ${behind}`);
      new DataView(bytes.buffer).setUint32(24, crc32(bytes.subarray(0, bytes.length - 8)) ^ 0x5354554e);
      return parseMessage(bytes);
    };
    expect(withChecksum('00010008', '80280004', '')).toMatchObject({ fingerprint: true });
    expect(withChecksum('00010008', '80280003', '')).toBeNull();
    expect(withChecksum('0001000c', '80280004', '80220000')).toBeNull();
  });

  test('counts by its first MESSAGE-INTEGRITY, which has 20 bytes', () => {
    const integrity = `00080014 ${'11'.repeat(20)}`;
    expect(parse(`00010034 2112a442 ${TRANSACTION} 80220000 ${integrity} ${integrity}`)).toMatchObject({ integrityAt: 24, attributes: [{ type: 0x8022 }] });
    for (const length of [0, 16, 24]) {
      const size = 4 + length;
      expect(parse(`000100${size.toString(16).padStart(2, '0')} 2112a442 ${TRANSACTION} 000800${length.toString(16).padStart(2, '0')} ${'11'.repeat(length)}`)).toBeNull();
    }
  });
});

describe('an attribute', () => {
  test('has the number that IANA gave it', () => {
    const numbers = Object.fromEntries(Object.entries(attribute).filter(([name, value]) => typeof value === 'number' && name !== 'UDP'));
    expect(numbers).toEqual({
      CHANGE_REQUEST: 0x0003, USERNAME: 0x0006, ERROR_CODE: 0x0009, UNKNOWN_ATTRIBUTES: 0x000a, CHANNEL_NUMBER: 0x000c, LIFETIME: 0x000d, XOR_PEER_ADDRESS: 0x0012, DATA: 0x0013, REALM: 0x0014, NONCE: 0x0015,
      XOR_RELAYED_ADDRESS: 0x0016, REQUESTED_ADDRESS_FAMILY: 0x0017, EVEN_PORT: 0x0018, REQUESTED_TRANSPORT: 0x0019, XOR_MAPPED_ADDRESS: 0x0020, RESERVATION_TOKEN: 0x0022,
      RESPONSE_ORIGIN: 0x802b, OTHER_ADDRESS: 0x802c,
    });
    expect([attribute.UDP, ERROR, SUCCESS, OPTIONAL_FROM]).toEqual([17, 0x0110, 0x0100, 0x8000]);
  });

  test('of another form than its own says nothing', () => {
    const lengths = [0, 1, 3, 5, 8];
    for (const read of [attribute.readLifetime, attribute.readChannelNumber, attribute.readTransport, attribute.readFamily, attribute.readChangeRequest]) {
      for (const length of lengths) expect(read(new Uint8Array(length)), `${read.name} ${length}`).toBeNull();
    }
    expect([attribute.readEvenPort(new Uint8Array(0)), attribute.readEvenPort(hex('7f')), attribute.readEvenPort(hex('80000000'))]).toEqual([null, false, true]);
    expect(['01', '02', '00', '03'].map((family) => attribute.readFamily(hex(`${family}000000`)))).toEqual([4, 6, 0, 0]);
    expect([4, 2, 6, 0, 1].map((flags) => attribute.readChangeRequest(Uint8Array.of(0, 0, 0, flags)))).toEqual([
      { ip: true, port: false }, { ip: false, port: true }, { ip: true, port: true }, { ip: false, port: false }, { ip: false, port: false },
    ]);
    expect([attribute.readErrorCode(hex('00000414')), attribute.readErrorCode(hex('0000fc14')), attribute.readErrorCode(hex('000004')), attribute.readErrorCode(hex('00')), attribute.readErrorCode(attribute.errorCode(508))]).toEqual([420, 420, 400, 0, 508]);
    expect([0x01020304, 0xfffefdfc].map((value) => attribute.readLifetime(attribute.lifetime(value)))).toEqual([0x01020304, 0xfffefdfc]);
  });

  test('that is an address has the length of its family, and a family', () => {
    const read = (family: number, ipBytes: number) => readXorAddress(Uint8Array.of(0, family, 1, 2, ...new Uint8Array(ipBytes)), hex(TRANSACTION));
    expect([read(1, 4), read(2, 16)].every((endpoint) => endpoint !== null)).toBe(true);
    for (const [family, ipBytes] of [[1, 3], [1, 5], [1, 16], [2, 4], [2, 15], [2, 17], [0, 4], [0, 16], [3, 4], [3, 16]] as const) expect(read(family, ipBytes), `${family} ${ipBytes}`).toBeNull();
    expect(() => xorAddress({ address: 'localhost', port: 1 }, hex(TRANSACTION))).toThrow(TypeError);
  });
});

describe('a Binding request', () => {
  test('is answered with its source, and with FINGERPRINT if it has one', () => {
    expect(asHex(answerTo(BARE_REQUEST))).toBe(asHex(hex(`0101000c 2112a442 ${TRANSACTION} 00200008 0001a147 e112a643`)));
    const answer = answerTo(REQUEST)!;
    expect(parseMessage(answer)).toMatchObject({ type: BINDING_SUCCESS, fingerprint: true });
    expect(mappedAddress(answer)).toEqual(SOURCE);
  });

  test('that asks for something unknown is answered with 420 and what it is', () => {
    const answer = answerTo(hex(`0001000c 2112a442 ${TRANSACTION} 00030004 00000004 7ffe0000`));
    expect(asHex(answer)).toBe(asHex(hex(`01110010 2112a442 ${TRANSACTION} 00090004 00000414 000a0004 7ffe0003`)));
  });

  test('may carry what is optional', () => {
    const answer = answerTo(hex(`00010008 2112a442 ${TRANSACTION} 80220004 74657374`));
    expect(parseMessage(answer!)?.type).toBe(BINDING_SUCCESS);
    expect(['7fff', '8000'].map((type) => gist(answerTo(hex(`00010004 2112a442 ${TRANSACTION} ${type}0000`))))).toEqual([420, '0101']);
  });

  test('that asks for another port of a stream, another address, or for neither in its own form, is answered with 420', () => {
    const ask = (change: string, listener = 0) => {
      const [output] = testTurn().handle({ kind: 'from-client', flow: { listener, source: SOURCE }, bytes: hex(`000100${change.length === 8 ? '08' : '0c'} 2112a442 ${TRANSACTION} 000300${change.length === 8 ? '04' : '08'} ${change}`) }, 0);
      return output?.kind === 'to-client' ? [output.flow.listener, gist(output.bytes)] : null;
    };
    expect([ask('00000000'), ask('00000002'), ask('00000004'), ask('00000006'), ask('0000000200000000')]).toEqual([[0, '0101'], [1, '0101'], [0, 420], [0, 420], [0, 420]]);
    expect([ask('00000000', -1), ask('00000002', -1)]).toEqual([[-1, '0101'], [-1, 420]]);
  });

  test('is told of no other address where the server does not know its own', () => {
    const request = hex(`0001000c 2112a442 ${TRANSACTION} 00260008 00000000 00000000`);
    const known = { address: '198.51.100.1', port: 3_478 };
    const told = [[known, known], [known, null], [null, known]].map((endpoints) => {
      const listeners = endpoints.map((endpoint, index) => ({ endpoint: endpoint ?? null, other: 1 - index }));
      return parseMessage(answerBinding(parseMessage(request)!, 100, { listener: 0, source: SOURCE }, listeners).bytes)!.attributes.length;
    });
    expect(told).toEqual([3, 1, 1]);
  });

  test('counts with 28 bytes of headers over IPv4 and 48 over IPv6', () => {
    const largest = (source: Endpoint, requestBytes: number) => {
      let length = 0;
      while (mayAnswer(source, requestBytes, new Uint8Array(length + 1))) length += 1;
      return length;
    };
    // 1.5 times the request, and half of the headers.
    expect([20, 21, 100].map((length) => largest(SOURCE, length))).toEqual([44, 45, 164]);
    expect([20, 21, 100].map((length) => largest({ address: '2001:db8::1', port: 1 }, length))).toEqual([54, 55, 174]);
  });

  test('gets no answer of more than 1.5 times its size, as the network carries it', () => {
    const v6 = { address: '2001:db8::1', port: 1 };
    expect([BARE_REQUEST.length, answerTo(BARE_REQUEST)!.length, answerTo(BARE_REQUEST, v6)!.length]).toEqual([20, 32, 44]);
    for (const source of [SOURCE, v6]) {
      for (let unknown = 0; unknown <= 300; unknown += 1) {
        const attributes = Array.from({ length: unknown }, (_, index) => ({ type: 0x4000 + index, value: new Uint8Array(0) }));
        for (const fingerprint of [false, true]) {
          const request = writeMessage({ type: BINDING_REQUEST, transaction: hex(TRANSACTION), attributes, fingerprint });
          expect(onWire(answerTo(request, source)!, source) / onWire(request, source)).toBeLessThanOrEqual(1.5);
        }
      }
    }
  });

  test('is told the other port where that is not too much, and answered from there if it asks', () => {
    // CHANGE-REQUEST (port) and 8 bytes of PADDING; OTHER-ADDRESS and RESPONSE-ORIGIN at the end.
    const request = hex(`00010014 2112a442 ${TRANSACTION} 00030004 00000002 00260008 00000000 00000000`);
    const { listener, bytes } = replyTo(request);
    expect(listener).toBe(1);
    expect(asHex(bytes)).toBe(asHex(hex(`01010024 2112a442 ${TRANSACTION} 00200008 0001a147 e112a643 802c0008 00010d97 c6336401 802b0008 00010d97 c6336401`)));
  });

  test('is the only thing that a stranger can ask', () => {
    const others = [
      '', '00', '00010000', `00010000 2112a443 ${TRANSACTION}`, `00010004 2112a442 ${TRANSACTION}`, `00010000 2112a442 ${TRANSACTION} 00`,
      `00010000 2112a442 ${TRANSACTION} 00000000`, `80010000 2112a442 ${TRANSACTION}`, `00110000 2112a442 ${TRANSACTION}`,
      `01010000 2112a442 ${TRANSACTION}`, `00050000 2112a442 ${TRANSACTION}`, `00010004 2112a442 ${TRANSACTION} 80220004`,
      `00010001 2112a442 ${TRANSACTION} 00`, `00010008 2112a442 ${TRANSACTION} 80280004 00000000`, `0001000c 2112a442 ${TRANSACTION} 80280004 12345678 80220000`,
    ];
    for (const other of others) expect(answerTo(hex(other)), other).toBe(null);
  });
});

test('addresses are read in every form that a socket gives them, and in no other', () => {
  const forms: Record<string, string | null> = {
    '127.0.0.1': '7f000001', '255.255.255.255': 'ffffffff', '::': '0'.repeat(32), '::1': `${'0'.repeat(31)}1`, 'fe80::1%eth0': `fe80${'0'.repeat(27)}1`,
    '1:2:3:4:5:6:7:8': '00010002000300040005000600070008', '1::': `0001${'0'.repeat(28)}`, '::ffff:192.0.2.1': '00000000000000000000ffffc0000201',
    '256.0.0.1': null, '1.2.3': null, '': null, '1:2:3:4:5:6:7': null, '1:2:3:4:5:6:7:8:9': null, '1:2:3:4::5:6:7:8': null, '1::2::3': null, '1.2.3.': null, '1.2.3.+4': null, '1.2.3.0004': null, 'g::': null, '::12345': null, 'localhost': null,
  };
  for (const [text, bytes] of Object.entries(forms)) expect(asHex(parseIp(text)), text).toBe(bytes);
});

test('an IPv6 address is its subscriber’s by its first half, and an IPv4 address by itself', () => {
  const same = (one: string, other: string): boolean => subscriberOf(one) === subscriberOf(other);
  expect([same('2001:db8:7:7::1', '2001:db8:7:7:ffff:ffff:ffff:ffff'), same('2001:db8:7:7::1', '2001:db8:7:8::1'), same('2001:db8:7:7::1', '3001:db8:7:7::1')]).toEqual([true, false, false]);
  expect([same('192.0.2.1', '192.0.2.1'), same('192.0.2.1', '192.0.2.2')]).toEqual([true, false]);
});

test('addresses are written as the system writes them', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.array(fc.constantFrom(0, 0, 1, 0xabc), { minLength: 8, maxLength: 8 }).map((groups) => groups.map((group) => group.toString(16)).join(':')));
  fc.assert(fc.property(address, (text) => {
    const ip = parseIp(text)!;
    const written = formatIp(ip);
    expect(parseIp(written)).toEqual(ip);
    const system = new SocketAddress({ address: text, family: text.includes(':') ? 'ipv6' : 'ipv4' }).address;
    // The system also knows the form with an IPv4 address inside, which no peer may have.
    if (!(text.includes(':') && system.includes('.'))) expect(written).toBe(system);
  }));
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
    const server = await testServer({ address: '::1' }).catch(() => null);
    if (server === null) return skip('this machine has no IPv6 loopback');
    const socket = createSocket('udp6');
    onTestFinished(() => void socket.close());
    const answered = once(socket, 'message');
    socket.send(BARE_REQUEST, server.port, '::1');
    const [answer] = (await answered) as [Buffer];
    expect(mappedAddress(answer)).toEqual({ address: '::1', port: socket.address().port });
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
  return readXorAddress(valueOf(message, XOR_MAPPED_ADDRESS)!, message.transaction);
}

/** What a server at 198.51.100.1, ports 3478 and 3479, says to a stranger. */
function replyTo(request: Uint8Array, source: Endpoint = SOURCE): { readonly listener: number | null; readonly bytes: Uint8Array | null } {
  const [output] = testTurn().handle({ kind: 'from-client', flow: { listener: 0, source }, bytes: request }, 0);
  return output?.kind === 'to-client' ? { listener: output.flow.listener, bytes: output.bytes } : { listener: null, bytes: null };
}

function answerTo(request: Uint8Array, source?: Endpoint): Uint8Array | null {
  return replyTo(request, source).bytes;
}
