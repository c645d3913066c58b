// A bare line by a relay that does nothing: `ws` as it comes, through forward.ts. It knows nothing of Sotto.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Line, OpenLine } from './end.js';

/** Bytes that may wait in the socket before the writer waits too. */
const BUFFER_BYTES = 256 * 1024;

export interface SocketPlace {
  /** Port of forward.ts, which joins the sockets of the same name. */
  readonly port: number;
  readonly name: string;
}

export const openSocket: OpenLine<SocketPlace> = async ({ port, name }, onText): Promise<Line> => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${name}`, { perMessageDeflate: false });
  socket.on('message', (data: Buffer) => onText(data.toString()));
  await once(socket, 'open');
  return {
    send: async (text) => {
      if (socket.bufferedAmount < BUFFER_BYTES) socket.send(text);
      else await new Promise((resolve) => socket.send(text, resolve));
    },
    close: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
};
