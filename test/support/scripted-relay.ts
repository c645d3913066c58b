// A WebSocket server that says to a relay link whatever a test wants: for relays that are slow, wrong or hostile. What an
// honest relay does is tested against the real one.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { decodeClientFrame, encodeRelayFrame, type ClientMessage } from '../../relay/wire/frame.js';

type RelayFrameBody = Parameters<typeof encodeRelayFrame>[1];

export const CHALLENGE = new Uint8Array(32).fill(7);
export const WELCOME = encodeRelayFrame(0, { case: 'welcome', value: { version: 1, challenge: CHALLENGE, stunPort: 3478 } });

/** One connection as the relay sees it. */
export class Caller {
  readonly path: string;
  readonly socket: WebSocket;
  /** Requests that came, pings left out. */
  readonly requests: ClientMessage[] = [];
  pings = 0;

  constructor(path: string, socket: WebSocket) {
    this.path = path;
    this.socket = socket;
  }

  say(request: number, body: RelayFrameBody): void {
    this.socket.send(encodeRelayFrame(request, body));
  }
}

/** What the relay does; each part can be replaced while it runs. */
export interface Script {
  greet: (caller: Caller) => void;
  ping: (caller: Caller, request: number) => void;
  request: (caller: Caller, message: ClientMessage) => void;
}

export interface ScriptedRelay {
  readonly url: string;
  readonly script: Script;
  readonly callers: Caller[];
  close(): Promise<void>;
}

/** Starts a relay that greets, answers pings and says Done to everything else. */
export async function startScriptedRelay(port = 0): Promise<ScriptedRelay> {
  const server = new WebSocketServer({ host: '127.0.0.1', port });
  const callers: Caller[] = [];
  const script: Script = {
    greet: ({ socket }) => socket.send(WELCOME),
    ping: (caller, request) => caller.say(request, { case: 'done', value: {} }),
    request: (caller, { request }) => caller.say(request, { case: 'done', value: {} }),
  };
  server.on('connection', (socket, { url = '' }) => {
    const caller = new Caller(url, socket);
    callers.push(caller);
    socket.on('error', () => {});
    socket.on('message', (data: Buffer) => {
      const message = decodeClientFrame(data);
      if (message.body.case === 'ping') {
        caller.pings += 1;
        return script.ping(caller, message.request);
      }
      caller.requests.push(message);
      script.request(caller, message);
    });
    script.greet(caller);
  });
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    script,
    callers,
    close: async () => {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
