// UDP sockets as the server needs them: without name look-ups, and with room for a burst. Knows nothing of STUN.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import type { Endpoint } from './address.js';
import { familyOf, type Family } from './attribute.js';

export const ANY: Readonly<Record<Family, string>> = { 4: '0.0.0.0', 6: '::' };
export const LOOPBACK: Readonly<Record<Family, string>> = { 4: '127.0.0.1', 6: '::1' };

/** Datagrams that may wait, on either side of a socket: 32 ms at 1 Gbit/s, as far as the system lets us. */
const BUFFER_BYTES = 4 * 1024 * 1024;

/** Opens a socket of one family at one address. Rejects with what the system says. */
export async function openUdp(address: string, port: number): Promise<Socket> {
  const family = familyOf(address);
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    ipv6Only: family === 6,
    recvBufferSize: BUFFER_BYTES,
    sendBufferSize: BUFFER_BYTES,
    // Only IP addresses get here, and the system's look-up would cost every packet a turn of the event loop.
    lookup: (host, _options, callback) => callback(null, host, family),
  });
  try {
    // Asked before, since it may be said in the call itself.
    const listening = once(socket, 'listening');
    socket.bind(port, address);
    await listening;
  } catch (error) {
    socket.close();
    throw error;
  }
  // What cannot be sent is a datagram lost; whoever sent it sends it again.
  socket.on('error', () => {});
  return socket;
}

/**
 * Sends, or drops what would wait behind more than the system takes, as a router does. Nobody is at port 0, though a datagram may
 * claim to come from there, or name it; Node throws.
 */
export function sendUdp(socket: Socket, bytes: Uint8Array, { address, port }: Endpoint): void {
  if (port !== 0 && socket.getSendQueueSize() < BUFFER_BYTES) socket.send(bytes, port, address);
}

interface OwnAddress {
  readonly address: string;
  readonly internal: boolean;
}

let known: readonly OwnAddress[] = [];

/** The IP addresses of this machine, without zones; those that it had the last time, where the system has no socket left to tell by. */
export function ownAddresses(): readonly OwnAddress[] {
  try {
    const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    known = all.map(({ address, internal }) => ({ address: address.replace(/%.*$/, ''), internal }));
  } catch {
    // Connections have taken them all, and will give them back.
  }
  return known;
}
