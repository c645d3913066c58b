// A stream of bytes as lines of bounded length. It knows nothing of what a line says.

import type { Socket } from 'node:net';

/** Calls back for each line; a line over the limit ends the reading and is not kept. */
export function readLines(socket: Socket, maxCharacters: number, onLine: (line: string) => void, onTooLong: () => void): void {
  let begun: string[] = [];
  let length = 0;
  const read = (chunk: string) => {
    const [first = '', ...others] = chunk.split('\n');
    for (const [index, part] of [first, ...others].entries()) {
      if (index > 0) {
        const line = begun.join('');
        begun = [];
        length = 0;
        if (line !== '') onLine(line);
      }
      begun.push(part);
      length += part.length;
      if (length > maxCharacters) {
        socket.off('data', read).resume();
        onTooLong();
        return;
      }
    }
  };
  socket.setEncoding('utf8').on('data', read);
}
