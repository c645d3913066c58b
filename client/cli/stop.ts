// When the person or the system asks a command that stays to end, and how every command ends.

let isHungUp = false;

/** Resolves at the first signal to end; a second one ends the process at once. */
export function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        isHungUp ||= signal === 'SIGHUP';
        resolve();
      });
    }
  });
}

/** Ends the process. One whose terminal is gone dies by the signal that said so: Node aborts, and leaves an image of its memory behind,
 *  where it cannot give a terminal back. */
export function endProcess(code: number): void {
  if (!isHungUp) process.exit(code);
  process.removeAllListeners('SIGHUP');
  process.kill(process.pid, 'SIGHUP');
}
