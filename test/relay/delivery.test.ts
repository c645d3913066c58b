// Frames written by hand against those of the generated code, byte for byte.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeDelivery, encodeDone } from '../../relay/wire/delivery.js';
import { encodeRelayFrame } from '../../relay/wire/frame.js';

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
/** As many of each length in binary: most numbers have 53 bits. */
const number = (least: number, bits: number) => fc.tuple(fc.integer({ min: 0, max: bits }), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([exponent, part]) => Math.min(2 ** bits - 1, Math.max(least, Math.floor(2 ** exponent * (0.5 + part)))));

test('Done is what the generated code writes', () => {
  fc.assert(fc.property(number(1, 32), (request) => {
    expect(encodeDone(request)).toEqual(encodeRelayFrame(request, { case: 'done', value: {} }));
  }));
});

test('Delivery is what the generated code writes', () => {
  fc.assert(fc.property(bytes(16, 16), number(1, 53), fc.oneof(bytes(1, 300), bytes(16_000, 66_000)), number(0, 53), (mailbox, sequence, envelope, ageMs) => {
    const value = { mailbox, sequence: BigInt(sequence), envelope, ageMs: BigInt(ageMs) };
    // Arrays of this length take seconds to compare one by one.
    expect(Buffer.compare(encodeDelivery(mailbox, sequence, envelope, ageMs), encodeRelayFrame(0, { case: 'delivery', value }))).toBe(0);
  }));
});
