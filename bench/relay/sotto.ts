// Our relay, as `sotto relay` starts it. Its answer means: on the disk.

import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { ready } from '../../crypto/sodium.js';
import { collectRequest, newMailbox, putRequest, type Mailbox } from '../../relay/mailbox.js';
import { decodeRelayFrame, encodeClientFrame, type RelayBody } from '../../relay/wire/frame.js';
import { COLLECT_PATH, DEPOSIT_PATH } from '../../relay/wire/limits.js';
import { connectTo, gather, type Broker } from './broker.js';

type Body = Parameters<typeof encodeClientFrame>[1];

/** Acknowledgements that are collected before they are sent together, as a client does. */
const ACKNOWLEDGE_AT = 32;

const HOUR_SECONDS = 3_600;

const PROGRAM = fileURLToPath(new URL('../../dist/bin/sotto.js', import.meta.url));
const LIMITS = ['--mailbox-envelopes', '1000000', '--mailbox-bytes', '4000000000'];

const mailboxes = new Map<number, Mailbox>();

function mailboxOf(pair: number): Mailbox {
  const made = mailboxes.get(pair) ?? newMailbox();
  mailboxes.set(pair, made);
  return made;
}

class Line {
  readonly #stream: Socket;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, () => void>();
  readonly challenge: Promise<Uint8Array>;
  #request = 0;

  constructor(port: number, path: string, onBody: (body: RelayBody) => void) {
    this.#stream = connectTo(port);
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false, createConnection: () => this.#stream });
    let greeted: (challenge: Uint8Array) => void;
    this.challenge = new Promise((resolve) => { greeted = resolve; });
    this.#socket.on('error', () => {});
    this.#socket.on('message', (data: Buffer) => {
      const { request, body } = decodeRelayFrame(data);
      if (body.case === 'welcome') greeted(body.value.challenge);
      else if (body.case === 'refused') throw new Error(`refused: ${body.value.code}`);
      else onBody(body);
      this.#waiting.get(request)?.();
      this.#waiting.delete(request);
    });
  }

  ask(body: Body): Promise<void> {
    gather(this.#stream);
    this.#request += 1;
    const request = this.#request;
    this.#socket.send(encodeClientFrame(request, body));
    return new Promise((resolve) => this.#waiting.set(request, resolve));
  }

  async close(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }
}

export const sotto: Broker = {
  name: 'sotto relay',
  isOnDisk: true,
  command: (folder, port) => [process.execPath, PROGRAM, 'relay', '--port', String(port), '--stun-port', '0', '--metrics', 'off', '--data', folder, '--json', ...LIMITS],

  async receiver(port, pair, onMessage) {
    await ready();
    const mailbox = mailboxOf(pair);
    let sequences: bigint[] = [];
    let acknowledged = Promise.resolve();
    const acknowledge = (): void => {
      if (sequences.length === 0) return;
      acknowledged = line.ask({ case: 'acknowledge', value: { mailbox: mailbox.mailbox, sequences } });
      sequences = [];
    };
    const line = new Line(port, COLLECT_PATH, (body) => {
      if (body.case !== 'delivery') return;
      sequences.push(body.value.sequence);
      onMessage(Buffer.from(body.value.envelope).toString('latin1'));
      if (sequences.length === 1) setImmediate(acknowledge);
      else if (sequences.length === ACKNOWLEDGE_AT) acknowledge();
    });
    await line.ask(collectRequest(mailbox, await line.challenge));
    return {
      leave: async () => {
        // Or what it has comes again.
        acknowledge();
        await acknowledged;
        await line.close();
      },
    };
  },

  async sender(port, pair) {
    const mailbox = mailboxOf(pair);
    const line = new Line(port, DEPOSIT_PATH, () => {});
    await line.challenge;
    return {
      send: (payload) => line.ask(putRequest(mailbox, Buffer.from(payload, 'latin1'), HOUR_SECONDS)),
      close: () => void line.close(),
    };
  },
};
