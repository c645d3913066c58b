// One TCP or TLS port for two protocols: what speaks STUN goes to the TURN server, everything else to HTTP. The first byte
// tells, since a STUN message begins with two zero bits and a method of HTTP with a letter. It reads no further.

import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

/** A certificate with its chain and the key that belongs to it, in PEM. */
export interface Tls {
  readonly cert: string;
  readonly key: string;
}

export interface Rooms {
  readonly stun: (stream: Socket) => void;
  readonly http: (stream: Socket) => void;
}

/** The first byte that no STUN message begins with. */
const STUN_END = 0x40;

/** How long a connection may say nothing at all, as HTTP has it for headers. */
const SILENCE_MS = 60_000;

/** A server that hands each connection to a room. */
export interface Door {
  /** Not listening yet. */
  readonly server: Server;
  /** Listens no more, and ends the connections that have said nothing. */
  close(): void;
}

export function createDoor(tls: Tls | null, rooms: Rooms): Door {
  const silent = new Set<Socket>();
  const receive = (stream: Socket): void => {
    const leave = (): void => void stream.destroy();
    silent.add(stream);
    stream.setTimeout(SILENCE_MS, leave);
    stream.once('error', leave).once('end', leave);
    stream.once('close', () => silent.delete(stream));
    stream.once('data', (first: Buffer) => {
      silent.delete(stream);
      stream.setTimeout(0);
      stream.off('timeout', leave).off('error', leave).off('end', leave);
      stream.pause();
      stream.unshift(first);
      (first[0]! < STUN_END ? rooms.stun : rooms.http)(stream);
      // Only when the room has its ears on.
      process.nextTick(() => stream.resume());
    });
  };
  // HTTP answers those who have said their last word, too.
  const manner = { allowHalfOpen: true, noDelay: true };
  const server = tls === null ? createServer(manner, receive) : createTlsServer({ ...manner, ...tls }, receive);
  return {
    server,
    close() {
      server.close();
      silent.forEach((stream) => stream.destroy());
    },
  };
}
