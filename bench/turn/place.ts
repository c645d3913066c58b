// Where a server under load is, and what it has cost.

export interface Place {
  /** UDP, of 127.0.0.1; clients use them in turn. */
  readonly ports: readonly number[];
  /** Empty where nobody is asked. */
  readonly username: string;
  readonly password: string;
}

/** What every program that is put under load can be told. */
export interface ServerMethods {
  /** @param workers threads, where the program can have several. */
  start: (peerPort: number, workers?: number) => Promise<Place>;
  cpuMs: () => number;
}

/** CPU time of a process, all threads, in ms. */
export function cpuOf({ cpuUsage }: Pick<NodeJS.Process, 'cpuUsage'>): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1_000;
}
