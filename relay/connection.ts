// One WebSocket of a client as the loop uses it: frames out, reading stopped and started, liveness. It must never know what
// a frame says, and never keeps or writes down where the client is.

import type { WebSocket } from 'ws';

/** Bytes that wait to be sent at which we stop to read: several windows of deliveries, so only a client that does not read gets here. */
const BUFFER_MAX_BYTES = 4 * 1024 * 1024;

const NO_FRAME = new Uint8Array(0);

/** What a connection tells its loop. */
export interface ConnectionEvents {
  readonly frame: (bytes: Uint8Array) => void;
  /** Once, whatever ended it. */
  readonly closed: () => void;
}

export class Connection {
  readonly #socket: WebSocket;
  #held = false;
  #alive = true;

  constructor(socket: WebSocket, events: ConnectionEvents) {
    this.#socket = socket;
    // Text is not a frame, and nothing is a frame that nobody can read.
    socket.on('message', (data, isBinary) => {
      this.#alive = true;
      events.frame(isBinary ? (data as Buffer) : NO_FRAME);
    });
    socket.on('pong', () => {
      this.#alive = true;
    });
    // 'close' follows; ws has told the client why.
    socket.on('error', () => {});
    socket.on('close', events.closed);
  }

  send(frame: Uint8Array): void {
    this.#socket.send(frame, () => this.#regulate());
    this.#regulate();
  }

  /** Stops or starts to read, beside what a full buffer does. */
  hold(held: boolean): void {
    this.#held = held;
    this.#regulate();
  }

  /** Asks the client whether it is there, and ends the connection if it did not answer the last time. */
  probe(): void {
    if (!this.#alive) return this.#socket.terminate();
    this.#alive = false;
    this.#socket.ping();
  }

  /** Says goodbye after everything sent. Reading goes on, for the client's own goodbye. */
  close(): void {
    this.#socket.close();
    this.#socket.resume();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #regulate(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const full = this.#socket.bufferedAmount > (this.#socket.isPaused ? BUFFER_MAX_BYTES / 2 : BUFFER_MAX_BYTES);
    if (full || this.#held) this.#socket.pause();
    else this.#socket.resume();
  }
}
