// One WebSocket of a client as the loop uses it: frames out, reading stopped and started, liveness. It must never know what
// a frame says, and never keeps or writes down where the client is.

import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** Bytes that wait to be sent at which we stop to read: several windows of deliveries, so only a client that does not read gets here. */
const BUFFER_MAX_BYTES = 4 * 1024 * 1024;

/** Least bytes that a client takes of a full buffer between two probes: a tenth of what a slow telephone line could. */
const PROGRESS_MIN_BYTES = 64 * 1024;

const NO_FRAME = new Uint8Array(0);

/** What a connection tells its loop. */
export interface ConnectionEvents {
  readonly frame: (bytes: Uint8Array) => void;
  /** The client takes so little of a full buffer that it would be full for ever. */
  readonly stalled: () => void;
  /** Once, whatever ended it. */
  readonly closed: () => void;
}

export class Connection {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  readonly #events: ConnectionEvents;
  #held = false;
  #isFull = false;
  #alive = true;
  /** Bytes handed to the socket, and those of them that had left our memory at the last probe. */
  #sent = 0;
  #left = 0;

  /** @param stream what the socket speaks over */
  constructor(socket: WebSocket, stream: Duplex, events: ConnectionEvents) {
    this.#socket = socket;
    this.#stream = stream;
    this.#events = events;
    // Text is not a frame, and nothing is a frame that nobody can read.
    socket.on('message', (data, isBinary) => {
      this.#alive = true;
      events.frame(isBinary ? (data as Buffer) : NO_FRAME);
    });
    socket.on('pong', () => {
      this.#alive = true;
    });
    // 'close' follows; ws has told the client why. A frame that it does not take, as too large, is one that nobody can read, too.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith('WS_ERR_')) events.frame(NO_FRAME);
    });
    socket.on('close', events.closed);
  }

  send(frame: Uint8Array): void {
    this.#sent += frame.length;
    this.#gather();
    this.#socket.send(frame);
    if (!this.#isFull && this.#socket.bufferedAmount > BUFFER_MAX_BYTES) this.#fill();
  }

  /** Stops or starts to read, beside what a full buffer does. */
  hold(held: boolean): void {
    this.#held = held;
    this.#regulate();
  }

  /**
   * Asks the client whether it is there, and ends the connection if it did not answer the last time. While nothing is read for
   * its answer cannot be seen, but it must take some of what waits for it.
   */
  probe(): void {
    const left = this.#sent - this.#socket.bufferedAmount;
    const stands = left - this.#left < PROGRESS_MIN_BYTES;
    this.#left = left;
    if (this.#socket.isPaused) {
      if (!this.#held && stands) this.#events.stalled();
      return;
    }
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

  /** All that is sent in one turn goes in one call of the system, which costs more than the rest of a small frame. */
  #gather(): void {
    if (this.#stream.writableCorked > 0) return;
    this.#stream.cork();
    process.nextTick(() => this.#stream.uncork());
  }

  /** Nothing more is read until the client has taken everything. */
  #fill(): void {
    this.#isFull = true;
    this.#stream.once('drain', () => {
      this.#isFull = false;
      this.#regulate();
    });
    this.#regulate();
  }

  #regulate(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#isFull || this.#held) this.#socket.pause();
    else this.#socket.resume();
  }
}
