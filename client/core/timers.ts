// The one table of the core's timers: a name, and when it is due. The core emits the earliest as its next wake-up.

export class Timers {
  readonly #due = new Map<string, number>();

  /** Sets or moves a timer. */
  set(name: string, at: number): void {
    this.#due.set(name, at);
  }

  /** Sets a timer unless it is running already. */
  start(name: string, at: number): void {
    if (!this.#due.has(name)) this.#due.set(name, at);
  }

  /** Moves a timer that runs to an earlier time. */
  hasten(name: string, at: number): void {
    if (at < (this.#due.get(name) ?? at)) this.#due.set(name, at);
  }

  clear(name: string): void {
    this.#due.delete(name);
  }

  /** The clock was set back: every timer keeps its distance. */
  shift(ms: number): void {
    for (const [name, at] of this.#due) this.#due.set(name, at - ms);
  }

  /** When the next timer is due; null if none runs. */
  next(): number | null {
    let earliest: number | null = null;
    for (const at of this.#due.values()) if (earliest === null || at < earliest) earliest = at;
    return earliest;
  }

  /** Removes and returns the names that are due. */
  take(now: number): string[] {
    const names = [...this.#due].filter(([, at]) => at <= now).map(([name]) => name);
    for (const name of names) this.#due.delete(name);
    return names;
  }
}
