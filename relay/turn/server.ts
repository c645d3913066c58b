// The STUN server's sockets: datagrams in, answers of binding.ts out. It keeps no state and writes nothing down.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { SottoError } from '../../crypto/error.js';
import { parseIp } from './address.js';
import { answerBinding } from './binding.js';

/** A STUN server that runs. */
export interface StunServer {
  readonly port: number;
  close(): void;
}

/** The address that stands for every interface, and its counterpart for IPv4. */
const ANY_V6 = '::';
const ANY_V4 = '0.0.0.0';

/**
 * Answers Binding requests at an IP address of this machine; for `::` at all its IPv4 addresses, too, where it has any.
 * A port that is taken is replaced by a free one, since clients are told the port in any case.
 * @throws SottoError `option-invalid` if the address is not of this machine.
 */
export async function startStun(address: string, port: number): Promise<StunServer> {
  const first = await bind(address, port).catch(() => bind(address, 0)).catch((error: unknown) => {
    throw new SottoError('option-invalid', `This machine does not let Sotto listen at ${address}; choose another with --host.`, error);
  });
  const bound = first.address().port;
  const second = address === ANY_V6 ? await bind(ANY_V4, bound).catch(() => null) : null;
  return {
    port: bound,
    close() {
      first.close();
      second?.close();
    },
  };
}

async function bind(address: string, port: number): Promise<Socket> {
  const socket = address.includes(':') ? createSocket({ type: 'udp6', ipv6Only: true }) : createSocket('udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  // An answer that cannot be sent is a datagram lost; the client asks again.
  socket.on('error', () => {});
  socket.on('message', (request, source) => {
    const ip = parseIp(source.address);
    const answer = ip === null ? null : answerBinding(request, { ip, port: source.port });
    if (answer !== null) socket.send(answer, source.port, source.address, () => {});
  });
  return socket;
}
