// The program of both ends of the NAT test: `serve ADDRESS` runs a server there until it is ended, `ask ADDRESS` asks its two
// ports from one socket and prints as which addresses it was seen.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readXorAddress, XOR_MAPPED_ADDRESS } from '../../../relay/turn/attribute.js';
import { rotatingSecrets } from '../../../relay/turn/credential.js';
import { BINDING_REQUEST, parseMessage, valueOf, writeMessage } from '../../../relay/turn/message.js';
import { startTurn } from '../../../relay/turn/server.js';

const PORT = 3_478;
const OTHER_PORT = 3_479;

/** A link that has just come up loses packets, and the server may not be there yet. */
const RETRY_MS = 200;

const [, , role, address = ''] = process.argv;
if (role === 'serve') await startTurn({ address, port: PORT, secrets: rotatingSecrets(new Uint8Array(32)), peers: 'clients' });
else process.stdout.write(JSON.stringify(await ask()));

async function ask(): Promise<string[]> {
  const socket = createSocket('udp4');
  const seen: string[] = [];
  for (const port of [PORT, OTHER_PORT]) {
    const request = writeMessage({ type: BINDING_REQUEST, transaction: new Uint8Array(12).fill(port), attributes: [], fingerprint: true });
    const asking = setInterval(() => socket.send(request, port, address), RETRY_MS);
    for (let source = 0; source !== port;) {
      const [bytes, { port: from }] = (await once(socket, 'message')) as [Buffer, { port: number }];
      const message = parseMessage(bytes)!;
      const mapped = readXorAddress(valueOf(message, XOR_MAPPED_ADDRESS)!, message.transaction)!;
      if (from === port) seen.push(`${mapped.address}:${mapped.port}`);
      source = from;
    }
    clearInterval(asking);
  }
  socket.close();
  return seen;
}
