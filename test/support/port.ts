// Ports for what must be found at the same one again after a restart. Whatever can read its port when it listens asks for 0 instead.

import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below what Linux, macOS and Windows give to whoever asks for any port: between its choice and its use nobody is given it by chance. */
const [FIRST, END] = [20_000, 32_768];

/** A port of 127.0.0.1 where nothing listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (END - FIRST));
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
