// NATS with JetStream on files, spoken by hand over TCP (docs.nats.io, client protocol). Its answer means: written, and flushed
// to the disk within two minutes.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectTo, gather, type Broker } from './broker.js';

type OnMessage = (subject: string, payload: string, reply: string) => void;

/** How long the server may take to notice that nobody listens. */
const UNSUBSCRIBE_MS = 300;

const CRLF = '\r\n';

/** One connection: what is subscribed comes to the one function. */
class Line {
  readonly socket: Socket;
  readonly #asked = new Map<string, (payload: string) => void>();
  readonly #inbox = `_INBOX.${Math.random().toString(36).slice(2)}`;
  #last = 0;
  #kept = '';

  constructor(port: number, onMessage: OnMessage) {
    this.socket = connectTo(port).setEncoding('latin1');
    this.socket.on('data', (data: Buffer | string) => this.#read(String(data), onMessage));
    this.socket.write(`CONNECT {"verbose":false}${CRLF}SUB ${this.#inbox}.* 1${CRLF}`);
  }

  subscribe(subject: string): void {
    this.socket.write(`SUB ${subject} 2${CRLF}`);
  }

  publish(subject: string, payload: string, reply = ''): void {
    gather(this.socket).write(`PUB ${subject} ${reply} ${payload.length}${CRLF}${payload}${CRLF}`, 'latin1');
  }

  ask(subject: string, payload: string): Promise<string> {
    this.#last += 1;
    const reply = `${this.#inbox}.${this.#last}`;
    this.publish(subject, payload, reply);
    return new Promise((resolve) => this.#asked.set(reply, resolve));
  }

  #read(data: string, onMessage: OnMessage): void {
    this.#kept += data;
    let at = 0;
    for (;;) {
      const end = this.#kept.indexOf(CRLF, at);
      if (end === -1) break;
      const words = this.#kept.slice(at, end).split(' ');
      let next = end + 2;
      if (words[0] === 'MSG') {
        const length = Number(words.at(-1));
        if (this.#kept.length < next + length + 2) break;
        this.#hear(words[1]!, this.#kept.slice(next, next + length), words.length === 5 ? words[3]! : '', onMessage);
        next += length + 2;
      } else if (words[0] === 'PING' && !this.socket.destroyed) this.socket.write(`PONG${CRLF}`);
      at = next;
    }
    this.#kept = this.#kept.slice(at);
  }

  #hear(subject: string, payload: string, reply: string, onMessage: OnMessage): void {
    const then = this.#asked.get(subject);
    if (then === undefined) return onMessage(subject, payload, reply);
    this.#asked.delete(subject);
    then(payload);
  }
}

export const nats: Broker = {
  name: 'NATS JetStream, file, not flushed',
  isOnDisk: true,
  command: (folder, port) => ['nats-server', '-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder],

  async receiver(port, pair, onMessage) {
    const line = new Line(port, (subject, payload, reply) => {
      // It comes under the subject to which it was sent.
      if (!subject.startsWith('pair.')) return;
      onMessage(payload);
      line.publish(reply, '');
    });
    line.subscribe(`deliver.${pair}`);
    await line.ask(`$JS.API.STREAM.CREATE.pair${pair}`, JSON.stringify({ name: `pair${pair}`, subjects: [`pair.${pair}`], storage: 'file', retention: 'workqueue' }));
    const config = { durable_name: 'receiver', deliver_subject: `deliver.${pair}`, ack_policy: 'explicit', max_ack_pending: 1_000 };
    await line.ask(`$JS.API.CONSUMER.DURABLE.CREATE.pair${pair}.receiver`, JSON.stringify({ stream_name: `pair${pair}`, config }));
    return {
      leave: async () => {
        // What is delivered to nobody, or not acknowledged, would come again only half a minute later.
        line.socket.write(`UNSUB 2${CRLF}`);
        await line.ask('$JS.API.INFO', '');
        await sleep(UNSUBSCRIBE_MS);
        line.socket.destroy();
        await once(line.socket, 'close');
      },
    };
  },

  async sender(port, pair) {
    const line = new Line(port, () => {});
    await once(line.socket, 'connect');
    return {
      send: async (payload) => {
        const answer = await line.ask(`pair.${pair}`, payload);
        if (answer.includes('"error"')) throw new Error(answer);
      },
      close: () => void line.socket.destroy(),
    };
  },
};
