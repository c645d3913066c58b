// Where a client's chance comes from, in Node and in the browser: the platform's own generator, asked for many bytes at a time,
// because each question costs as much as the encryption of a message.

/** Drawn at a time: the nonces of 170 messages. */
const POOL_BYTES = 4096;
/** The platform gives no more than this at a time. */
const DRAW_MAX_BYTES = 65_536;

const pool = new Uint8Array(POOL_BYTES);
let left = 0;

/** Gives fresh random bytes that nothing else has ever been given, and that stand nowhere else any more. */
export function random(length: number): Uint8Array {
  if (length > POOL_BYTES) return drawn(new Uint8Array(length));
  if (length > left) {
    drawn(pool);
    left = POOL_BYTES;
  }
  const bytes = pool.slice(left - length, left);
  pool.fill(0, left - length, left);
  left -= length;
  return bytes;
}

function drawn(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  for (let at = 0; at < bytes.length; at += DRAW_MAX_BYTES) crypto.getRandomValues(bytes.subarray(at, at + DRAW_MAX_BYTES));
  return bytes;
}
