// The program that does what no TURN server in Node can do without, and nothing else: one receive and one send for each packet,
// four bytes taken off on the way out and put on on the way back. It asks nobody who they are and looks at no address.

import type { Socket } from 'node:dgram';
import type * as Sockets from '../../relay/turn/socket.js';
import { obey } from '../process.js';
import { shipped } from '../shipped.js';
import { cpuOf, type Place, type ServerMethods } from './place.js';

const { openUdp } = await shipped<typeof Sockets>('relay/turn/socket.js');

const HEADER_BYTES = 4;

const methods: ServerMethods = {
  start: async (peerPort): Promise<Place> => {
    const front = await openUdp('127.0.0.1', 0);
    const relayed = new Map<number, Promise<Socket>>();
    const answer = async (port: number, header: Buffer): Promise<Socket> => {
      const socket = await openUdp('127.0.0.1', 0);
      socket.on('message', (bytes) => {
        const framed = Buffer.allocUnsafe(HEADER_BYTES + bytes.length);
        header.copy(framed);
        framed.set(bytes, HEADER_BYTES);
        front.send(framed, port, '127.0.0.1');
      });
      return socket;
    };
    const ready = new Map<number, Socket>();
    front.on('message', (bytes, { port }) => {
      const socket = ready.get(port);
      if (socket !== undefined) return socket.send(bytes.subarray(HEADER_BYTES), peerPort, '127.0.0.1');
      if (relayed.has(port)) return;
      const opening = answer(port, Buffer.from(bytes.subarray(0, HEADER_BYTES)));
      relayed.set(port, opening);
      void opening.then((opened) => ready.set(port, opened));
    });
    return { ports: [front.address().port], username: '', password: '' };
  },
  cpuMs: () => cpuOf(process),
};

obey(methods);
