// Framing and heartbeat on a data channel, the same on both platforms (PROTOCOL.md §8). A channel that lost its path keeps
// silent for 13 s before its library says so; we ask sooner. Knows nothing of WebRTC, nor of what a frame means.

/** The first byte of every message on the channel. Ping and pong carry a 4-byte number, an envelope carries a frame. */
const PING = 0;
const PONG = 1;
const ENVELOPE = 2;

/** Length of a ping and of a pong. */
const PING_BYTES = 5;

/** Pings in a row that nothing came after: the path is dead. */
const MISSES_MAX = 3;

/** How often to ask, in ms. */
export interface LivenessTiming {
  /** While frames pass, and how long each answer may take before it counts as missing. */
  readonly busyMs: number;
  /** While none pass; more than busyMs. */
  readonly idleMs: number;
}

export interface LivenessOptions {
  readonly timing: LivenessTiming;
  /** Hands one message to the channel; false if it was not taken. */
  readonly write: (message: Uint8Array<ArrayBuffer>) => boolean;
  readonly onFrame: (frame: Uint8Array) => void;
  /** Nothing came after MISSES_MAX pings; called once, and no ping follows. */
  readonly onSilent: () => void;
}

/** The heartbeat of one open channel; it beats from its construction until stop(). */
export class Liveness {
  readonly #options: LivenessOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #number = 0;
  #pingedAt = 0;
  #movedAt = 0;
  #heard = false;
  #misses = 0;
  #idle = false;
  #rttMs: number | null = null;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#ask();
  }

  /** Round trip of the last ping that was answered, in ms. */
  get rttMs(): number | null {
    return this.#rttMs;
  }

  /** Sends one frame; false if the channel did not take it. */
  send(frame: Uint8Array): boolean {
    const message = new Uint8Array(1 + frame.length);
    message[0] = ENVELOPE;
    message.set(frame, 1);
    if (!this.#options.write(message)) return false;
    this.#moved();
    return true;
  }

  /** Takes one message from the channel. Types of later versions are left alone. */
  receive(message: Uint8Array): void {
    this.#heard = true;
    if (message[0] === ENVELOPE) {
      this.#moved();
      this.#options.onFrame(message.subarray(1));
    } else if (message.length === PING_BYTES) {
      if (message[0] === PING) this.#options.write(numbered(PONG, numberOf(message)));
      if (message[0] === PONG && numberOf(message) === this.#number) this.#rttMs = performance.now() - this.#pingedAt;
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #ask(): void {
    this.#idle = false;
    this.#heard = false;
    this.#number += 1;
    this.#pingedAt = performance.now();
    this.#options.write(numbered(PING, this.#number));
    this.#wait(this.#options.timing.busyMs, () => this.#judge());
  }

  #judge(): void {
    const { busyMs, idleMs } = this.#options.timing;
    this.#misses = this.#heard ? 0 : this.#misses + 1;
    if (this.#misses === MISSES_MAX) return this.#options.onSilent();
    this.#idle = this.#heard && this.#movedAt < this.#pingedAt;
    if (this.#idle) this.#wait(idleMs - busyMs, () => this.#ask());
    else this.#ask();
  }

  /** Who receives frames asks as often as who sends them, because the sender's own pings wait behind its frames. */
  #moved(): void {
    this.#movedAt = performance.now();
    if (this.#idle) this.#ask();
  }

  #wait(ms: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }
}

function numbered(type: number, number: number): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(PING_BYTES);
  message[0] = type;
  new DataView(message.buffer).setUint32(1, number);
  return message;
}

function numberOf(message: Uint8Array): number {
  return new DataView(message.buffer, message.byteOffset).getUint32(1);
}
