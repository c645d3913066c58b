// Waiting for something to become true. Whoever changes what others may wait for says so; every condition is then asked again.

export class Waiting {
  readonly #checks = new Set<() => void>();

  /** Something may have become true. */
  changed(): void {
    for (const check of this.#checks) check();
  }

  /** Resolves true as soon as the condition holds, false when the time is over. */
  until(holds: () => boolean, timeoutMs: number): Promise<boolean> {
    if (holds()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (result: boolean): void => {
        clearTimeout(timer);
        this.#checks.delete(check);
        resolve(result);
      };
      const check = (): void => {
        if (holds()) finish(true);
      };
      const timer = setTimeout(() => finish(false), timeoutMs);
      this.#checks.add(check);
    });
  }
}
