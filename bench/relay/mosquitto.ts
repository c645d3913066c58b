// Mosquitto with MQTT 3.1.1 (OASIS), QoS 1 and persistent sessions, spoken by hand over TCP. Its answer means: in its memory.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { connectTo, gather, type Broker } from './broker.js';

const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBACK = 9;

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

function packet(head: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  let rest = body.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.of(head, ...length), body]);
}

/** Calls with each whole packet: its kind and what follows the length. */
function packets(socket: Socket, onPacket: (kind: number, body: Buffer) => void): void {
  let kept = Buffer.alloc(0);
  socket.on('data', (data) => {
    kept = Buffer.concat([kept, data]);
    for (;;) {
      let [length, at, shift] = [0, 1, 0];
      while (at < kept.length && at < 5) {
        const byte = kept[at]!;
        length |= (byte & 0x7f) << shift;
        [at, shift] = [at + 1, shift + 7];
        if (byte < 0x80) break;
      }
      if (at < 2 || kept.length < at + length) return;
      onPacket(kept[0]! >> 4, kept.subarray(at, at + length));
      kept = kept.subarray(at + length);
    }
  });
}

async function open(port: number, client: string, onPacket: (kind: number, body: Buffer, socket: Socket) => void): Promise<Socket> {
  const socket = connectTo(port);
  let greet: () => void;
  const greeted = new Promise<void>((resolve) => { greet = resolve; });
  packets(socket, (kind, body) => (kind === CONNACK ? greet() : onPacket(kind, body, socket)));
  // Not a clean session: the subscription and what comes for it outlive the connection.
  socket.write(packet(0x10, text('MQTT'), Buffer.of(4, 0, 0, 0), text(client)));
  await greeted;
  return socket;
}

export const mosquitto: Broker = {
  name: 'Mosquitto 2.0, QoS 1, in memory',
  isOnDisk: false,

  command(folder, port) {
    const file = join(folder, 'mosquitto.conf');
    const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence true', `persistence_location ${folder}/`, 'max_queued_messages 0', 'max_inflight_messages 1000', 'user root'];
    writeFileSync(file, `${lines.join('\n')}\n`);
    return ['mosquitto', '-c', file];
  },

  async receiver(port, pair, onMessage) {
    let subscribed: () => void;
    const ready = new Promise<void>((resolve) => { subscribed = resolve; });
    const socket = await open(port, `receiver-${pair}`, (kind, body, answering) => {
      if (kind === SUBACK) subscribed();
      if (kind !== PUBLISH) return;
      const topic = body.readUInt16BE();
      onMessage(body.toString('latin1', topic + 4));
      gather(answering).write(packet(0x40, body.subarray(topic + 2, topic + 4)));
    });
    socket.write(packet(0x82, Buffer.of(0, 1), text(`pair/${pair}`), Buffer.of(1)));
    await ready;
    return {
      leave: async () => {
        // What is not acknowledged before comes again.
        socket.end(packet(0xe0));
        await once(socket, 'close');
      },
    };
  },

  async sender(port, pair) {
    const waiting = new Map<number, () => void>();
    const socket = await open(port, `sender-${pair}`, (kind, body) => {
      if (kind !== PUBACK) return;
      waiting.get(body.readUInt16BE())?.();
      waiting.delete(body.readUInt16BE());
    });
    let last = 0;
    return {
      send(payload) {
        last = (last % 65_535) + 1;
        const id = last;
        gather(socket).write(packet(0x32, text(`pair/${pair}`), Buffer.of(id >> 8, id & 0xff), Buffer.from(payload, 'latin1')));
        return new Promise((resolve) => waiting.set(id, resolve));
      },
      close: () => void socket.destroy(),
    };
  },
};
