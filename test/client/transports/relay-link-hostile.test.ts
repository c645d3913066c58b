// A relay that breaks the contract: it harms no link beyond the connection to it.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeRelayFrame } from '../../../relay/wire/frame.js';
import { CHALLENGE, WELCOME } from '../../support/scripted-relay.js';
import { code, ENVELOPE, MAILBOX, newBench, until } from './bench.js';

const bench = newBench();

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });

describe('a hostile relay', () => {
  const body: fc.Arbitrary<Parameters<typeof encodeRelayFrame>[1]> = fc.oneof(
    fc.constant({ case: 'done' as const, value: {} }),
    fc.record({ case: fc.constant('welcome' as const), value: fc.record({ version: fc.nat(3), challenge: bytes(32), stunPort: fc.nat(70_000) }) }),
    fc.record({ case: fc.constant('refused' as const), value: fc.record({ code: fc.string({ maxLength: 70 }) }) }),
    fc.record({ case: fc.constant('card' as const), value: fc.record({ card: fc.uint8Array({ maxLength: 5_000 }) }) }),
    fc.record({
      case: fc.constant('delivery' as const),
      value: fc.record({ mailbox: bytes(16), sequence: fc.bigInt(0n, 2n ** 64n - 1n), envelope: fc.uint8Array({ maxLength: 50 }), ageMs: fc.bigInt(0n, 2n ** 64n - 1n) }),
    }),
  );
  const message: fc.Arbitrary<Uint8Array | string> = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(fc.oneof(fc.nat(3), fc.nat(2 ** 32 - 1)), body).map(([request, content]) => encodeRelayFrame(request, content)),
    fc.constantFrom(new Uint8Array(70_000), 'text', WELCOME),
  );

  test('never harms a link beyond its connection: the next one works', async () => {
    const { greet } = bench.relay.script;
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(message, { maxLength: 4 }), fc.constantFrom('collect', 'deposit'), async (greets, messages, role) => {
        bench.failures = 0;
        bench.relay.script.greet = (caller) => {
          if (greets) greet(caller);
          for (const said of messages) caller.socket.send(said);
          caller.socket.close();
        };
        const { link, states } = bench.open(role);
        await until(() => bench.failures === 1);
        bench.relay.script.greet = greet;
        link.hurry();
        await until(() => states.at(-1)?.online === true);
        await (role === 'collect' ? link.collect(MAILBOX) : link.put(MAILBOX, ENVELOPE, 60));
        link.close();
      }),
      { numRuns: 150 },
    );
  });

  const done = encodeRelayFrame(4_711, { case: 'done', value: {} });
  const delivery = encodeRelayFrame(0, { case: 'delivery', value: { mailbox: new Uint8Array(16), sequence: 1n, envelope: ENVELOPE, ageMs: 0n } });

  test.each([
    ['answers what was not asked', done],
    ['delivers where nothing is collected', delivery],
    ['greets twice', WELCOME],
    ['speaks text', 'hello'],
    ['speaks rubbish', Uint8Array.of(255, 255, 255)],
    ['says nothing in a frame', new Uint8Array(0)],
  ])('loses the connection when it %s', async (_, said) => {
    const heard = bench.open('deposit');
    const caller = await bench.online(heard);
    const put = code(heard.link.put(MAILBOX, ENVELOPE, 60));
    bench.relay.script.request = () => {};
    caller.socket.send(said);
    await until(() => heard.states.at(-1)?.online === false);
    expect(heard.states.at(-1)).toEqual({ online: false, reason: 'broke the protocol' });
    expect(['relay-unreachable', 'resolved']).toContain(await put);
  });

  test('loses the connection when it answers a Put with a card', async () => {
    const heard = bench.open('deposit');
    await bench.online(heard);
    bench.relay.script.request = (caller, { request }) => caller.say(request, { case: 'card', value: { card: Uint8Array.of(1) } });
    expect(await code(heard.link.put(MAILBOX, ENVELOPE, 60))).toBe('relay-unreachable');
  });

  test('of another version is not spoken to', async () => {
    bench.relay.script.greet = (caller) => caller.say(0, { case: 'welcome', value: { version: 2, challenge: CHALLENGE, stunPort: 0 } });
    const heard = bench.open('deposit');
    await until(() => heard.states.length === 1);
    expect(heard.states[0]?.online).toBe(false);
    expect(bench.relay.callers[0]?.pings).toBe(0);
  });

  test('cannot make a frame larger than the contract allows reach the link', async () => {
    const heard = bench.open('collect');
    const caller = await bench.online(heard);
    caller.socket.send(new Uint8Array(10_000_000));
    await until(() => heard.states.at(-1)?.online === false);
    expect(heard.states.at(-1)).toEqual({ online: false, reason: 'Max payload size exceeded' });
  });
});
