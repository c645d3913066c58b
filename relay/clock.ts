// The time of day as the relay believes it. A machine's clock may be set wrong for a while, and a relay that believed it at once
// would throw away what has a month to live; so a jump counts only when it has stood for an hour. Knows nothing of what is due.

/** Differences that a clock which is slewed, or a busy machine, may show between two looks. */
const JUMP_MS = 60_000;

/** How long a jump must stand before it is believed. */
const TRUST_AFTER_MS = 3_600_000;

export interface ClockParts {
  /** Time of day in ms since 1970, as the machine has it. */
  readonly wall: () => number;
  /** A clock in ms that never goes back or jumps. */
  readonly steady: () => number;
  /** The machine's clock was seen to jump by so many ms. */
  readonly onJump: (byMs: number) => void;
}

export class Clock {
  readonly #parts: ClockParts;
  /** Time of day when the steady clock stood at 0. */
  #origin: number;
  /** Another origin that the machine claims, and since when by the steady clock. */
  #claim: { readonly origin: number; readonly since: number } | null = null;

  constructor(parts: ClockParts) {
    this.#parts = parts;
    this.#origin = parts.wall() - parts.steady();
  }

  /** ms since 1970. */
  now(): number {
    const steady = this.#parts.steady();
    this.#weigh(this.#parts.wall() - steady, steady);
    return Math.floor(steady + this.#origin);
  }

  #weigh(origin: number, steady: number): void {
    if (isNear(origin, this.#origin)) {
      this.#origin = origin;
      this.#claim = null;
    } else if (this.#claim === null || !isNear(origin, this.#claim.origin)) {
      this.#claim = { origin, since: steady };
      this.#parts.onJump(Math.round(origin - this.#origin));
    } else if (steady - this.#claim.since >= TRUST_AFTER_MS) {
      this.#origin = origin;
      this.#claim = null;
    }
  }
}

function isNear(a: number, b: number): boolean {
  return Math.abs(a - b) <= JUMP_MS;
}
