// Asks a STUN server which address it sees us under (RFC 8489). Packets come from anybody: only the answer to our own question is read,
// and a packet that is none is passed over. It draws no conclusion.

import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import stun from 'stun';

export interface Address {
  readonly address: string;
  readonly port: number;
}

export interface Bindings {
  /** Where we asked from. */
  readonly local: Address;
  /** What each question was answered with, in the order of the ports; null where no answer came. */
  readonly seen: readonly (Address | null)[];
}

/** When a question is sent again, ms after the one before: UDP loses packets (RFC 8489 §6.2.1, shortened for a person who waits). */
const RESEND_AFTER_MS = [250, 500, 1_000, 2_000] as const;
/** Which one makes no difference: nothing is sent there. */
const ANY_PORT = 9;
const HEADER_BYTES = 20;
const MAGIC_COOKIE = 0x2112a442;

/** Asks each port of a host, one after the other, from one local port. Rejects if the host has no address or cannot be sent to. */
export async function askBindings(host: string, ports: readonly number[]): Promise<Bindings> {
  const { address, family } = await lookup(host);
  const from = await addressTowards(address, family);
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  try {
    socket.bind(0, from);
    await once(socket, 'listening');
    const local = { address: from, port: socket.address().port };
    const seen: (Address | null)[] = [];
    for (const port of ports) seen.push(await askBinding(socket, { address, port }));
    return { local, seen };
  } finally {
    socket.close();
  }
}

/** The local address that the system uses towards another one: it names it to a socket that is connected, and sends nothing for that. */
async function addressTowards(address: string, family: number): Promise<string> {
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  try {
    const connected = once(socket, 'connect');
    socket.connect(ANY_PORT, address);
    await connected;
    return socket.address().address;
  } finally {
    socket.close();
  }
}

async function askBinding(socket: Socket, server: Address): Promise<Address | null> {
  const question = stun.createMessage(stun.constants.STUN_BINDING_REQUEST);
  const bytes = stun.encode(question);
  const done = new AbortController();
  let seen: Address | null = null;
  const onMessage = (packet: Buffer, from: Address) => {
    if (from.address === server.address && from.port === server.port) seen ??= readAnswer(packet, question.transactionId);
    if (seen) done.abort();
  };
  socket.on('message', onMessage);
  for (const pauseMs of RESEND_AFTER_MS) {
    if (seen) break;
    socket.send(bytes, server.port, server.address, () => {});
    await sleep(pauseMs, undefined, { signal: done.signal }).catch(() => {});
  }
  socket.off('message', onMessage);
  return seen;
}

/** The address in the answer to this transaction; null if the packet is anything else. */
export function readAnswer(packet: Buffer, transactionId: Buffer): Address | null {
  const isStun =
    packet.length >= HEADER_BYTES &&
    packet.length % 4 === 0 &&
    packet.readUInt8(0) < 0x40 &&
    packet.readUInt16BE(2) === packet.length - HEADER_BYTES &&
    packet.readUInt32BE(4) === MAGIC_COOKIE;
  if (!isStun) return null;
  try {
    const answer = stun.decode(packet);
    if (answer.type !== stun.constants.STUN_BINDING_RESPONSE || !answer.transactionId.equals(transactionId)) return null;
    const { address, port } = answer.getXorAddress() ?? {};
    return address && port ? { address, port } : null;
  } catch {
    return null;
  }
}
