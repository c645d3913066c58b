// The program of a relay that neither encrypts, stores, nor asks who is there: it joins two WebSockets of the same name and
// hands on what each of them says. What no relay on `ws` can be faster than.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { obey } from '../process.js';

const alone = new Map<string, WebSocket>();

function join(name: string, socket: WebSocket): void {
  const other = alone.get(name);
  if (other === undefined) {
    alone.set(name, socket);
    socket.pause();
    return;
  }
  alone.delete(name);
  handOn(socket, other);
  handOn(other, socket);
  other.resume();
}

function handOn(from: WebSocket, to: WebSocket): void {
  from.on('message', (data, binary) => to.send(data, { binary }));
  from.on('close', () => to.close());
}

const methods = {
  /** Starts it; resolves with its port. */
  start: async (): Promise<number> => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    server.on('connection', (socket, { url = '' }) => join(url, socket));
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
};

export type ForwardMethods = typeof methods;

obey(methods);
