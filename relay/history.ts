// The last hour of a relay, in its own memory, for the curves of the status page: how many connections there were and how many
// envelopes were taken. It counts, and knows nothing of whom.

/** How often to look, and how many looks are remembered. */
export const LOOK_INTERVAL_MS = 20_000;
const LOOKS = 180;

/** What was seen at one look. */
export interface Look {
  readonly connections: number;
  /** Envelopes taken since the look before. */
  readonly taken: number;
}

export class History {
  readonly #see: () => Promise<{ readonly connections: number; readonly taken: number }>;
  readonly #timer: NodeJS.Timeout;
  readonly #looks: Look[] = [];
  #taken = 0;

  /** @param see what is now; `taken` counts since the start. */
  constructor(see: () => Promise<{ readonly connections: number; readonly taken: number }>) {
    this.#see = see;
    this.#timer = setInterval(() => void this.look(), LOOK_INTERVAL_MS).unref();
  }

  /** At most those of an hour, the oldest first. */
  get looks(): readonly Look[] {
    return this.#looks;
  }

  async look(): Promise<void> {
    const { connections, taken } = await this.#see();
    this.#looks.push({ connections, taken: taken - this.#taken });
    this.#taken = taken;
    if (this.#looks.length > LOOKS) this.#looks.shift();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
