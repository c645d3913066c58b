// How somebody outside speaks with a TURN server: by datagrams, or by a stream with or without TLS (RFC 8656 §3.1). It carries
// messages and reads none.

import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { EventEmitter, once } from 'node:events';
import { connect, isIP, type Socket as Stream } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ANSWER_MAX_MS } from './line.js';
import type { Endpoint } from './turn/address.js';
import { familyOf, type Family } from './turn/attribute.js';
import { Frames } from './turn/frame.js';

export type Transport = 'udp' | 'tcp' | 'tls';

/** Where a server is. */
export interface Place {
  readonly transport: Transport;
  /** Name or IP address, without brackets; a certificate must be for it. */
  readonly host: string;
  readonly port: number;
}

export interface Way {
  /** What the server says, a message at a time, as the event 'message'. */
  readonly messages: EventEmitter;
  /** Of the server's address. */
  readonly family: Family;
  send(bytes: Uint8Array): void;
  /** From our own port to somebody else; null by a stream, which has but one end. */
  readonly sendTo: ((bytes: Uint8Array, to: Endpoint) => void) | null;
  close(): void;
}

/** Rejects with the beginning of a sentence where a stream cannot be opened; datagrams only show it by silence. */
export async function openWay(place: Place): Promise<Way> {
  return place.transport === 'udp' ? await openDatagrams(place) : await openStream(place);
}

export function nameOf({ transport, host, port }: Place): string {
  return `${transport === 'udp' ? 'UDP' : 'TCP'} port ${port} of ${host}`;
}

async function openDatagrams({ host, port }: Place): Promise<Way> {
  const { address } = await lookup(host);
  const family = familyOf(address);
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  // A port that nobody listens at is told as an error; that nothing comes is told by the clock.
  socket.on('error', () => {});
  socket.bind();
  await once(socket, 'listening');
  const sendTo = (bytes: Uint8Array, to: Endpoint): void => socket.send(bytes, to.port, to.address, () => {});
  return { messages: socket, family, send: (bytes) => sendTo(bytes, { address, port }), sendTo, close: () => socket.close() };
}

async function openStream(place: Place): Promise<Way> {
  const { transport, host, port } = place;
  const isTls = transport === 'tls';
  const stream: Stream = isTls ? connectTls({ host, port, ...isIP(host) === 0 && { servername: host } }) : connect(port, host);
  try {
    await once(stream, isTls ? 'secureConnect' : 'connect', { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
  } catch (error) {
    stream.destroy();
    const { name, code = name } = error as NodeJS.ErrnoException;
    throw new Error(`No connection${isTls ? ' with TLS' : ''} to ${nameOf(place)} (${name === 'AbortError' ? 'no answer in time' : code})`, { cause: error });
  }
  const [messages, frames] = [new EventEmitter(), new Frames()];
  stream.on('error', () => {});
  stream.on('data', (chunk) => frames.push(chunk)?.forEach((message) => messages.emit('message', message)));
  return { messages, family: familyOf(stream.remoteAddress ?? ''), send: (bytes) => void stream.write(bytes), sendTo: null, close: () => stream.destroy() };
}
