// The two frames that a relay sends for every message, Done and Delivery, written by hand: the generated code takes several times
// as long for the same bytes (relay.proto, test/relay/delivery.test.ts). Everything else goes by frame.ts.

/** Field numbers of relay.proto with their wire types: 0 for a number, 2 for bytes. */
const FRAME_REQUEST = 1 << 3;
const FRAME_DONE = (3 << 3) | 2;
const FRAME_DELIVERY = (5 << 3) | 2;
const DELIVERY_MAILBOX = (1 << 3) | 2;
const DELIVERY_SEQUENCE = 2 << 3;
const DELIVERY_ENVELOPE = (3 << 3) | 2;
const DELIVERY_AGE = 4 << 3;

/** Done, to a request for which nothing more is to be said. */
export function encodeDone(request: number): Uint8Array {
  const frame = new Uint8Array(3 + lengthOf(request));
  frame[0] = FRAME_REQUEST;
  const at = writeNumber(frame, 1, request);
  frame[at] = FRAME_DONE;
  return frame;
}

/** Delivery. Sequence and age are integers below 2^53, the sequence at least 1. */
export function encodeDelivery(mailbox: Uint8Array, sequence: number, envelope: Uint8Array, ageMs: number): Uint8Array {
  // A number that is 0 is not written.
  const ageLength = ageMs === 0 ? 0 : 1 + lengthOf(ageMs);
  const length = 1 + lengthOf(mailbox.length) + mailbox.length + 1 + lengthOf(sequence) + 1 + lengthOf(envelope.length) + envelope.length + ageLength;
  const frame = new Uint8Array(1 + lengthOf(length) + length);
  frame[0] = FRAME_DELIVERY;
  let at = writeNumber(frame, 1, length);
  at = writeBytes(frame, at, DELIVERY_MAILBOX, mailbox);
  frame[at] = DELIVERY_SEQUENCE;
  at = writeNumber(frame, at + 1, sequence);
  at = writeBytes(frame, at, DELIVERY_ENVELOPE, envelope);
  if (ageMs === 0) return frame;
  frame[at] = DELIVERY_AGE;
  writeNumber(frame, at + 1, ageMs);
  return frame;
}

/** @returns where the next field goes; so do the others. */
function writeBytes(frame: Uint8Array, at: number, field: number, bytes: Uint8Array): number {
  frame[at] = field;
  const start = writeNumber(frame, at + 1, bytes.length);
  frame.set(bytes, start);
  return start + bytes.length;
}

/** Seven bits to a byte, the lowest first; not with shifts, which hold 32 bits. */
function writeNumber(frame: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  for (; rest >= 128; rest = Math.floor(rest / 128)) frame[next++] = (rest % 128) + 128;
  frame[next] = rest;
  return next + 1;
}

/** Bytes that writeNumber takes. */
function lengthOf(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length += 1;
  return length;
}
