// An error that nobody foresaw, as far as it may be told.

/** What somebody who mends it needs to know. Its message may hold a client's address, which nobody writes down. */
export function causeOf(error: Error): string {
  const [place] = /(?<=^ *at ).+$/m.exec(error.stack ?? '') ?? [];
  return `${(error as NodeJS.ErrnoException).code ?? error.name}${place === undefined ? '' : ` at ${place}`}`;
}
