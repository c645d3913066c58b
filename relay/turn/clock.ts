// The clock of a TURN server and of the credentials for it: it goes on from when the process started, whatever the machine's clock
// is set to, so that a jump ends no allocation and refuses nobody. Nobody else need agree with it.

/** ms since 1970, as the machine had it at the start. */
export function steadyNow(): number {
  return Math.floor(performance.timeOrigin + performance.now());
}
