// One end of a line, in a process of its own: it counts what comes, sends as fast as it can, or measures round trips, as it is
// told. Every kind of line is measured by these same few functions; they know nothing of how a line moves its texts.

import { setTimeout as sleep } from 'node:timers/promises';
import { obey } from '../process.js';

/** A way to move texts to the other end, whole and in order. */
export interface Line {
  /** Resolves when the line takes more. */
  send(text: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens a line and resolves when both ends are joined. */
export type OpenLine<Place> = (place: Place, onText: (text: string) => void) => Promise<Line>;

export type EndMethods<Place> = ReturnType<typeof methodsOf<Place>>;

/** What a person writes at once, about; ASCII, so that characters are bytes. */
const TEXT = 'x'.repeat(200);
/** Texts on their way into the line at a time, as when many people or a program write. */
const WRITERS = 64;

/** Makes this process the end of a line. */
export function serveEnd<Place>(openLine: OpenLine<Place>): void {
  obey(methodsOf(openLine));
}

function methodsOf<Place>(openLine: OpenLine<Place>) {
  let line: Line;
  let received = 0;
  let onReceived: (() => void) | undefined;
  let isEcho = false;

  const onText = (text: string): void => {
    received += 1;
    if (isEcho) void line.send(text);
    onReceived?.();
  };
  const reached = (count: number): Promise<void> => new Promise((resolve) => {
    onReceived = () => {
      if (received >= count) resolve();
    };
    onReceived();
  });

  return {
    /** Resolves when the program is loaded. */
    load: (): void => {},
    open: async (place: Place): Promise<void> => {
      line = await openLine(place, onText);
    },
    close: (): Promise<void> => line.close(),
    /** Whether each text is sent back as it comes. */
    echo: (on: boolean): void => {
      isEcho = on;
    },
    /** CPU time of this process so far, in µs, all its threads. */
    cpu: (): number => process.cpuUsage().user + process.cpuUsage().system,
    /** How many texts have come. */
    received: (): number => received,
    /** Resolves when that many have come. */
    reached,
    /** Halves of the round trips, in ms, of texts sent one by one with a pause after each. The other end echoes. */
    trips: async (count: number, pauseMs: number): Promise<number[]> => {
      const halves: number[] = [];
      while (halves.length < count) {
        const back = reached(received + 1);
        const sentAt = performance.now();
        void line.send(TEXT);
        await back;
        halves.push((performance.now() - sentAt) / 2);
        await sleep(pauseMs);
      }
      return halves;
    },
    /** Sends for a while, as fast as the line takes it; resolves with the number of texts. */
    flood: async (ms: number): Promise<number> => {
      const end = performance.now() + ms;
      let sent = 0;
      const write = async (): Promise<void> => {
        while (performance.now() < end) {
          sent += 1;
          await line.send(TEXT);
        }
      };
      await Promise.all(Array.from({ length: WRITERS }, write));
      return sent;
    },
  };
}
