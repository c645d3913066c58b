// Where chance comes from: nowhere in this house. Whoever owns a platform passes a source in, so that tests can replay it.
// The platform's own is crypto.getRandomValues; libsodium's generator is never used (slow inside WASM).

/** Gives `length` fresh, uniformly random bytes. */
export type Random = (length: number) => Uint8Array;
