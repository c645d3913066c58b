import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SottoError } from '../../crypto/error.js';
import { decodeClientFrame, decodeRelayFrame, encodeClientFrame, encodeRelayFrame, readRequest } from '../../relay/wire/frame.js';
import { FRAME_MAX_BYTES } from '../../relay/wire/limits.js';
import { RelayFrameSchema } from '../../relay/wire/relay_pb.js';
import { acknowledge, random, type Body } from './support.js';

type RelayBody = Parameters<typeof encodeRelayFrame>[1];

const MAILBOX = { mailbox: random(16), seed: random(32), owner: random(32), token: random(16), tokenHash: random(32) };
const { mailbox, owner, token, tokenHash } = MAILBOX;
const COLLECT = { mailbox, owner, tokenHash, signature: random(64) };
const PUT = { mailbox, token, ttlSeconds: 60, envelope: random(40) };
const PUT_CARD = { lookup: random(16), card: random(30), ttlSeconds: 60 };
const TAKE_CARD = { lookup: random(16), claim: random(16) };
const DELIVERY = { mailbox, sequence: 5n, envelope: random(9), ageMs: 7n };

const CLIENT_BODIES: readonly Body[] = [
  { case: 'collect', value: COLLECT },
  acknowledge(MAILBOX, 1, 2, Number.MAX_SAFE_INTEGER),
  acknowledge(MAILBOX),
  { case: 'close', value: { mailbox } },
  { case: 'put', value: PUT },
  { case: 'put', value: { ...PUT, envelope: random(65_536), ttlSeconds: 2_592_000 } },
  { case: 'putCard', value: PUT_CARD },
  { case: 'putCard', value: { ...PUT_CARD, ttlSeconds: 36 * 86_400, reusable: true } },
  { case: 'takeCard', value: TAKE_CARD },
  { case: 'ping', value: {} },
];

const RELAY_BODIES: readonly RelayBody[] = [
  { case: 'welcome', value: { version: 1, challenge: random(32), stunPort: 3478 } },
  { case: 'done', value: {} },
  { case: 'refused', value: { code: 'mailbox-full', retryAfterSeconds: 60 } },
  { case: 'delivery', value: DELIVERY },
  { case: 'card', value: { card: random(2_088) } },
  { case: 'goodbye', value: { code: 'relay-closing', reconnectAfterMs: 5 } },
];

const MALFORMED_CLIENT_BODIES: readonly Body[] = [
  ...(['mailbox', 'owner', 'tokenHash', 'signature'] as const).flatMap((field): Body[] => [
    { case: 'collect', value: { ...COLLECT, [field]: random(COLLECT[field].length - 1) } },
    { case: 'collect', value: { ...COLLECT, [field]: random(COLLECT[field].length + 1) } },
  ]),
  acknowledge({ ...MAILBOX, mailbox: random(15) }, 1),
  acknowledge(MAILBOX, 0),
  acknowledge(MAILBOX, 2n ** 53n),
  acknowledge(MAILBOX, ...Array<number>(1_001).fill(1)),
  { case: 'close', value: { mailbox: random(17) } },
  { case: 'put', value: { ...PUT, mailbox: random(0) } },
  { case: 'put', value: { ...PUT, token: random(15) } },
  { case: 'put', value: { ...PUT, ttlSeconds: 0 } },
  { case: 'put', value: { ...PUT, ttlSeconds: 2_592_001 } },
  { case: 'put', value: { ...PUT, envelope: random(0) } },
  { case: 'putCard', value: { ...PUT_CARD, lookup: random(15) } },
  { case: 'putCard', value: { ...PUT_CARD, card: random(0) } },
  { case: 'putCard', value: { ...PUT_CARD, card: random(4_097) } },
  { case: 'putCard', value: { ...PUT_CARD, ttlSeconds: 604_801 } },
  { case: 'putCard', value: { ...PUT_CARD, ttlSeconds: 36 * 86_400 + 1, reusable: true } },
  { case: 'takeCard', value: { ...TAKE_CARD, lookup: random(15) } },
  { case: 'takeCard', value: { ...TAKE_CARD, claim: random(17) } },
];

const MALFORMED_RELAY_BODIES: readonly RelayBody[] = [
  { case: 'welcome', value: { version: 1, challenge: random(31), stunPort: 3478 } },
  { case: 'welcome', value: { version: 1, challenge: random(32), stunPort: 65_536 } },
  { case: 'refused', value: { code: '' } },
  { case: 'goodbye', value: { code: 'x'.repeat(65) } },
  { case: 'delivery', value: { ...DELIVERY, mailbox: random(15) } },
  { case: 'delivery', value: { ...DELIVERY, sequence: 0n } },
  { case: 'delivery', value: { ...DELIVERY, envelope: random(0) } },
  { case: 'delivery', value: { ...DELIVERY, ageMs: 2n ** 53n } },
  { case: 'card', value: { card: random(4_097) } },
];

const malformed = expect.objectContaining({ code: 'frame-malformed' });

describe('frames', () => {
  test('come back as they were written, on both sides', () => {
    for (const body of CLIENT_BODIES) expect(decodeClientFrame(encodeClientFrame(7, body))).toMatchObject({ request: 7, body });
    for (const body of RELAY_BODIES) expect(decodeRelayFrame(encodeRelayFrame(9, body))).toMatchObject({ request: 9, body });
  });

  test('with any field of a wrong length or range are refused, and the request number can still be read', () => {
    for (const body of MALFORMED_CLIENT_BODIES) {
      const bytes = encodeClientFrame(7, body);
      expect(() => decodeClientFrame(bytes), JSON.stringify(body.case)).toThrow(malformed);
      expect(readRequest(bytes)).toBe(7);
    }
    for (const body of MALFORMED_RELAY_BODIES) expect(() => decodeRelayFrame(encodeRelayFrame(0, body)), body.case).toThrow(malformed);
  });

  test('with an envelope over the limit have a code of their own', () => {
    const bytes = encodeClientFrame(7, { case: 'put', value: { ...PUT, envelope: random(65_537) } });
    expect(() => decodeClientFrame(bytes)).toThrow(expect.objectContaining({ code: 'envelope-too-large' }));
  });

  test('without a body, without a request number, or over the limit of a frame are refused', () => {
    expect(() => decodeClientFrame(Uint8Array.of(0x08, 1))).toThrow(malformed);
    expect(() => decodeClientFrame(encodeClientFrame(0, { case: 'ping', value: {} }))).toThrow(malformed);
    expect(() => decodeRelayFrame(toBinary(RelayFrameSchema, create(RelayFrameSchema, { request: 1 })))).toThrow(malformed);
    expect(() => decodeClientFrame(new Uint8Array(FRAME_MAX_BYTES + 1))).toThrow(malformed);
    expect(readRequest(new Uint8Array(FRAME_MAX_BYTES + 1))).toBe(0);
  });
});

test('no bytes make a decoder throw anything but its documented codes', () => {
  const whole = fc.constantFrom(...CLIENT_BODIES.map((body) => encodeClientFrame(3, body)), ...RELAY_BODIES.map((body) => encodeRelayFrame(3, body)));
  const cut = fc.tuple(whole, fc.nat()).map(([bytes, at]) => bytes.subarray(0, at % bytes.length));
  const flipped = fc.tuple(whole, fc.nat(), fc.integer({ min: 0, max: 7 })).map(([bytes, at, bit]) => {
    const copy = bytes.slice();
    copy[at % copy.length]! ^= 1 << bit;
    return copy;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), cut, flipped), (bytes) => {
      for (const decode of [decodeClientFrame, decodeRelayFrame]) {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(SottoError);
          expect(['frame-malformed', 'envelope-too-large']).toContain((error as SottoError).code);
        }
      }
      expect(readRequest(bytes)).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 3_000 },
  );
});
