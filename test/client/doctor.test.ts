import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { askBindings, readAnswer } from '../../client/binding.js';
import { diagnose } from '../../client/doctor.js';
import { freePort } from '../support/port.js';

const COOKIE = Buffer.from('2112a442', 'hex');

/** A binding response with an XOR-MAPPED-ADDRESS (RFC 8489 §14.2), made by hand. */
function response(transactionId: Uint8Array, address: string, port: number): Buffer {
  const bytes = Buffer.from(address.split('.').map(Number));
  const xored = bytes.map((byte, i) => byte ^ (COOKIE[i] ?? 0));
  const portBytes = Buffer.from([(port >> 8) ^ 0x21, (port & 0xff) ^ 0x12]);
  return Buffer.concat([Buffer.from('0101000c', 'hex'), COOKIE, transactionId, Buffer.from('0020000800 01'.replaceAll(' ', ''), 'hex'), portBytes, xored]);
}

let server: Socket | undefined;

afterEach(() => {
  server?.close();
  server = undefined;
});

async function serveUdp(answer: (request: Buffer, reply: (bytes: Uint8Array) => void, count: number) => void): Promise<number> {
  const socket = createSocket('udp4');
  server = socket;
  let count = 0;
  socket.on('message', (request, { port, address }) => answer(request, (bytes) => socket.send(bytes, port, address), ++count));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket.address().port;
}

describe('asking for our address', () => {
  it('reads the answer to its own question, among anything else that comes', async () => {
    const port = await serveUdp((request, reply) => {
      reply(Buffer.from('x'));
      reply(response(Buffer.alloc(12, 7), '9.9.9.9', 9));
      reply(response(request.subarray(8, 20), '203.0.113.5', 4567));
    });
    const { local, seen } = await askBindings('127.0.0.1', [port, port]);
    expect(local.address).toBe('127.0.0.1');
    expect(seen).toEqual([{ address: '203.0.113.5', port: 4567 }, { address: '203.0.113.5', port: 4567 }]);
  });

  it('asks again when a packet is lost', async () => {
    const port = await serveUdp((request, reply, count) => {
      if (count > 1) reply(response(request.subarray(8, 20), '203.0.113.5', 4567));
    });
    expect((await askBindings('127.0.0.1', [port])).seen).toEqual([{ address: '203.0.113.5', port: 4567 }]);
  });

  it('gives up where nobody answers', async () => {
    const port = await serveUdp(() => {});
    expect((await askBindings('127.0.0.1', [port])).seen).toEqual([null]);
  });

  it('takes no packet for an answer that is none, whatever it holds', () => {
    const id = Buffer.alloc(12, 1);
    const good = response(id, '203.0.113.5', 4567);
    expect(readAnswer(good, id)).toEqual({ address: '203.0.113.5', port: 4567 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(readAnswer(Buffer.from(bytes), id)).toBeNull();
      expect(readAnswer(Buffer.concat([Buffer.from('01010004', 'hex'), COOKIE, id, bytes]), id)).toBeNull();
    }));
  });
});

describe('the doctor', () => {
  it('says that a relay does not answer, and whose fault it is', async () => {
    const diagnosis = await diagnose('http://127.0.0.1:1');
    expect(diagnosis).toMatchObject({ obstacle: 'network', seen: null, translated: null, portKept: null, mapping: null, rttMs: null });
    expect(diagnosis.findings.map(({ ok }) => ok)).toEqual([false, false]);
  });

  it('says in plain words that what answers is no relay, or that nothing does', async () => {
    const site = createServer((_, answer) => void answer.writeHead(200, { connection: 'close' }).end('{"status":"up"}')).listen(0, '127.0.0.1');
    await once(site, 'listening');
    const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    const foreign = await diagnose(url);
    site.close();
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    const silent = await diagnose(nowhere);
    expect(foreign).toMatchObject({ obstacle: 'relay', findings: [
      { ok: false, text: `Something answers at ${url}, but it is no Sotto relay; check the address.` },
      { ok: false, text: 'No messages get through: something answers there that does not speak as a relay.' },
    ] });
    expect(silent).toMatchObject({ obstacle: 'network', findings: [
      { ok: false, text: `The relay ${nowhere} does not answer: nothing listens there. Check the address, and that the relay runs.` },
      { ok: false, text: 'No messages get through: nothing listens there.' },
    ] });
  });
});
