import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { OwnMailbox } from '../../../client/core/records.js';
import type { Link, LinkOptions, LinkState } from '../../../client/transports/link.js';
import { openRelayLink } from '../../../client/transports/relay-link.js';
import { NodeSocket } from '../../../client/transports/socket-node.js';
import { concat, fromHex } from '../../../crypto/bytes.js';
import { hash } from '../../../crypto/hash.js';
import { publicKeyOf, verify } from '../../../crypto/signature.js';
import { ready } from '../../../crypto/sodium.js';
import { encodeRelayFrame } from '../../../relay/wire/frame.js';
import { CHALLENGE, startScriptedRelay, WELCOME, type Caller, type ScriptedRelay } from '../../support/scripted-relay.js';

const MAILBOX: OwnMailbox = { relay: '', mailbox: '11'.repeat(16), ownerSeed: new Uint8Array(32).fill(2), token: new Uint8Array(16).fill(3) };
const ENVELOPE = new Uint8Array(100).fill(4);

let relay: ScriptedRelay;
let links: Link[] = [];
/** How often a link has drawn the length of its next wait: once per connection that failed. */
let failures = 0;

interface Heard {
  readonly link: Link;
  readonly states: LinkState[];
  readonly deliveries: Parameters<LinkOptions['onDelivery']>[0][];
}

function open(role: LinkOptions['role'], url = relay.url): Heard {
  const states: LinkState[] = [];
  const deliveries: Heard['deliveries'] = [];
  const random = (): number => {
    failures += 1;
    return 0.5;
  };
  const platform = { WebSocket: NodeSocket, now: () => Date.now(), random };
  const link = openRelayLink(platform)({ relay: url, role, onState: (state) => states.push(state), onDelivery: (delivery) => deliveries.push(delivery) });
  links.push(link);
  return { link, states, deliveries };
}

/** Waits for the network without moving the links' clock. */
async function until(done: () => boolean): Promise<void> {
  const bound = performance.now() + 15_000;
  while (!done()) {
    if (performance.now() > bound) throw new Error(`never came: ${done}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Moves the links' clock; the network does not wait for it. */
function pass(ms: number): void {
  vi.advanceTimersByTime(ms);
}

/** Moves the links' clock to the next attempt, and tells how far that was. */
function passToNext(): number {
  const before = Date.now();
  vi.advanceTimersToNextTimer();
  return Date.now() - before;
}

async function online(heard: Heard): Promise<Caller> {
  await until(() => heard.states.at(-1)?.online === true);
  return relay.callers.at(-1) as Caller;
}

const code = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'resolved', (error: { code: string }) => error.code);

beforeAll(ready);

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  relay = await startScriptedRelay();
  failures = 0;
});

afterEach(async () => {
  for (const link of links) link.close();
  links = [];
  vi.useRealTimers();
  await relay.close();
});

describe('a link', () => {
  test('is online when the relay has greeted it and answered a ping', async () => {
    const { ping } = relay.script;
    const held: (() => void)[] = [];
    relay.script.ping = (caller, request) => held.push(() => ping(caller, request));
    const heard = open('deposit');
    await until(() => held.length === 1);
    expect(heard.states).toEqual([]);
    expect(await code(heard.link.put(MAILBOX, ENVELOPE, 60))).toBe('relay-unreachable');
    pass(30);
    held[0]?.();
    await online(heard);
    expect(heard.states).toEqual([{ online: true, rttMs: 30, stunPort: 3478, stunOtherPort: 0 }]);
    expect(relay.callers[0]?.path).toBe('/v1/deposit');
  });

  test('proves that a mailbox is ours with a signature over the challenge of this connection', async () => {
    const heard = open('collect');
    const caller = await online(heard);
    await heard.link.collect(MAILBOX);
    const body = caller.requests[0]?.body;
    if (body?.case !== 'collect') throw new Error('no Collect came');
    expect(body.value.owner).toEqual(Buffer.from(publicKeyOf(MAILBOX.ownerSeed)));
    expect(body.value.tokenHash).toEqual(Buffer.from(hash('token', MAILBOX.token)));
    const signed = concat(CHALLENGE, fromHex(MAILBOX.mailbox), hash('token', MAILBOX.token));
    expect(verify(publicKeyOf(MAILBOX.ownerSeed), 'collect', signed, body.value.signature)).toBe(true);
    expect(caller.path).toBe('/v1/collect');
  });

  test('says everything else of the contract as it is meant', async () => {
    const collecting = open('collect');
    const collector = await online(collecting);
    await collecting.link.acknowledge(MAILBOX.mailbox, Array.from({ length: 1_001 }, (_, at) => at + 1));
    await collecting.link.closeMailbox(MAILBOX.mailbox);
    await collecting.link.putCard(new Uint8Array(16), Uint8Array.of(5), false, 60);
    expect(collector.requests.map(({ body }) => body.case)).toEqual(['acknowledge', 'acknowledge', 'close', 'putCard']);
    const depositing = open('deposit');
    const depositor = await online(depositing);
    relay.script.request = (caller, { request, body }) =>
      caller.say(request, body.case === 'takeCard' ? { case: 'card', value: { card: Uint8Array.of(6) } } : { case: 'done', value: {} });
    await depositing.link.put(MAILBOX, ENVELOPE, 60);
    expect(depositor.requests[0]?.body.value).toMatchObject({ mailbox: Buffer.from(fromHex(MAILBOX.mailbox)), token: Buffer.from(MAILBOX.token), ttlSeconds: 60, envelope: Buffer.from(ENVELOPE) });
    expect(await depositing.link.takeCard(new Uint8Array(16), new Uint8Array(16))).toEqual(Uint8Array.of(6));
  });

  test('hands on what the relay delivers', async () => {
    const heard = open('collect');
    const caller = await online(heard);
    caller.say(0, { case: 'delivery', value: { mailbox: fromHex(MAILBOX.mailbox), sequence: 9n, envelope: ENVELOPE, ageMs: 12n } });
    await until(() => heard.deliveries.length === 1);
    expect(heard.deliveries).toEqual([{ mailbox: MAILBOX.mailbox, sequence: 9, envelope: ENVELOPE, ageMs: 12 }]);
  });

  test.each([
    ['mailbox-full', 'mailbox-full'],
    ['card-taken', 'card-taken'],
    ['a-code-of-tomorrow', 'relay-failed'],
    ['store-damaged', 'relay-failed'],
    ['constructor', 'relay-failed'],
  ])('rejects what is refused with %s as %s', async (said, expected) => {
    const heard = open('deposit');
    await online(heard);
    relay.script.request = (caller, { request }) => caller.say(request, { case: 'refused', value: { code: said } });
    expect(await code(heard.link.put(MAILBOX, ENVELOPE, 60))).toBe(expected);
    expect(await code(heard.link.takeCard(new Uint8Array(16), new Uint8Array(16)))).toBe(expected);
  });

  test('hands on when the relay advises to try again', async () => {
    const heard = open('deposit');
    await online(heard);
    relay.script.request = (caller, { request }) => caller.say(request, { case: 'refused', value: { code: 'mailbox-full', retryAfterSeconds: 90 } });
    await expect(heard.link.put(MAILBOX, ENVELOPE, 60)).rejects.toMatchObject({ code: 'mailbox-full', retryAfterMs: 90_000 });
  });

  test('matches answers to requests by number, in any order', async () => {
    const heard = open('deposit');
    const caller = await online(heard);
    relay.script.request = () => {};
    const codes = ['mailbox-full', 'token-wrong', 'mailbox-unknown'];
    const answers = codes.map(() => code(heard.link.put(MAILBOX, ENVELOPE, 60)));
    await until(() => caller.requests.length === 3);
    for (const at of [2, 0, 1]) caller.say(caller.requests[at]?.request ?? 0, { case: 'refused', value: { code: codes[at] as string } });
    expect(await Promise.all(answers)).toEqual(codes);
  });

  test('has at most 64 requests unanswered, and the rest wait their turn', async () => {
    const heard = open('deposit');
    const caller = await online(heard);
    relay.script.request = () => {};
    const puts = Array.from({ length: 200 }, () => heard.link.put(MAILBOX, ENVELOPE, 60));
    await until(() => caller.requests.length === 64);
    const [first] = caller.requests;
    caller.say(first?.request ?? 0, { case: 'done', value: {} });
    await until(() => caller.requests.length === 65);
    relay.script.request = (_, { request }) => caller.say(request, { case: 'done', value: {} });
    for (const { request } of caller.requests.slice(1)) caller.say(request, { case: 'done', value: {} });
    await Promise.all(puts);
    expect(caller.requests).toHaveLength(200);
  });

  test('refuses more than it can hold instead of growing for ever', async () => {
    const heard = open('deposit');
    await online(heard);
    relay.script.request = () => {};
    const codes = Array.from({ length: 64 + 4_096 + 1 }, () => code(heard.link.put(MAILBOX, ENVELOPE, 60)));
    expect(await codes.at(-1)).toBe('relay-busy');
    heard.link.close();
    expect(new Set((await Promise.all(codes)).slice(0, -1))).toEqual(new Set(['relay-unreachable']));
  });

  test('rejects everything unanswered when the connection goes, and what is asked while it is gone', async () => {
    const heard = open('deposit');
    const caller = await online(heard);
    relay.script.request = () => {};
    const puts = Array.from({ length: 100 }, () => code(heard.link.put(MAILBOX, ENVELOPE, 60)));
    await until(() => caller.requests.length === 64);
    caller.socket.terminate();
    expect(new Set(await Promise.all(puts))).toEqual(new Set(['relay-unreachable']));
    await until(() => heard.states.at(-1)?.online === false);
    expect(await code(heard.link.takeCard(new Uint8Array(16), new Uint8Array(16)))).toBe('relay-unreachable');
    pass(250);
    await until(() => heard.states.at(-1)?.online === true);
  });

  test('comes back to a relay that was away', async () => {
    const port = Number(new URL(relay.url).port);
    const heard = open('collect');
    await online(heard);
    await relay.close();
    await until(() => failures === 1);
    passToNext();
    await until(() => failures === 2);
    relay = await startScriptedRelay(port);
    passToNext();
    await online(heard);
    expect(heard.states.map((state) => state.online)).toEqual([true, false, false, true]);
    await heard.link.collect(MAILBOX);
  });

  test('pings after 25 quiet seconds, and takes a relay that does not answer for gone', async () => {
    const heard = open('collect');
    const caller = await online(heard);
    pass(24_999);
    pass(1);
    await until(() => caller.pings === 2 && heard.states.length === 2);
    relay.script.ping = () => {};
    pass(25_000);
    await until(() => caller.pings === 3);
    pass(9_999);
    expect(heard.states.at(-1)?.online).toBe(true);
    pass(1);
    await until(() => heard.states.at(-1)?.online === false);
    expect(heard.states.at(-1)).toEqual({ online: false, reason: 'does not answer' });
  });

  test('takes a relay for broken that answers everything but one request', async () => {
    const heard = open('deposit');
    const caller = await online(heard);
    relay.script.request = (_, { request }) => {
      if (request > 2) caller.say(request, { case: 'done', value: {} });
    };
    const forgotten = code(heard.link.put(MAILBOX, ENVELOPE, 60));
    await until(() => caller.requests.length === 1);
    for (let second = 1; second < 60; second += 1) {
      pass(1_000);
      await heard.link.put(MAILBOX, ENVELOPE, 60);
    }
    pass(1_000);
    expect(await forgotten).toBe('relay-unreachable');
  });

  test('gives up a relay that accepts and says nothing', async () => {
    relay.script.greet = () => {};
    const heard = open('deposit');
    await until(() => relay.callers.length === 1);
    pass(10_000);
    await until(() => heard.states.length === 1);
    expect(heard.states).toEqual([{ online: false, reason: 'does not answer' }]);
  });

  test('waits twice as long after each failure, at most 5 s while an outage is young and a minute when it is old, and starts anew once a connection lived', async () => {
    const honest = relay.script.greet;
    relay.script.greet = ({ socket }) => socket.terminate();
    const heard = open('deposit');
    const waits: number[] = [];
    const wait = async (): Promise<number> => {
      await until(() => failures === waits.length + 1);
      return waits.push(passToNext());
    };
    while (waits.length < 7) await wait();
    expect(waits).toEqual([250, 500, 1_000, 2_000, 2_500, 2_500, 2_500]);
    // The random part is a half here: of a sixtieth of ten minutes, then of a minute.
    for (const [outageMs, waitMs] of [[600_000, 5_000], [7_200_000, 30_000]] as const) {
      await until(() => failures === waits.length + 1);
      vi.setSystemTime(Date.now() + outageMs);
      await wait();
      await wait();
      expect(Math.round(waits.at(-1)! / 1_000) * 1_000).toBe(waitMs);
    }
    relay.script.greet = honest;
    const brief = await online(heard);
    brief.socket.terminate();
    await until(() => failures === waits.length + 1);
    expect(passToNext()).toBe(30_000);
    const lasting = await online(heard);
    pass(5_000);
    lasting.socket.terminate();
    await until(() => failures === waits.length + 2);
    expect(passToNext()).toBe(250);
  });

  test('tries at once when somebody waits, and says when the attempt is over', async () => {
    const port = Number(new URL(relay.url).port);
    await relay.close();
    const heard = open('deposit', `http://127.0.0.1:${port}`);
    await until(() => failures === 1);
    await heard.link.retry();
    expect(failures).toBe(2);
    relay = await startScriptedRelay(port);
    await Promise.all([heard.link.retry(), heard.link.retry()]);
    expect(heard.states.at(-1)?.online).toBe(true);
    expect(relay.callers).toHaveLength(1);
    await heard.link.retry();
    expect(relay.callers).toHaveLength(1);
  });

  test('lets nobody shorten the pause that a relay has asked for', async () => {
    const heard = open('deposit');
    const caller = await online(heard);
    caller.say(0, { case: 'goodbye', value: { code: 'relay-busy', reconnectAfterMs: 1_000 } });
    await until(() => heard.states.at(-1)?.online === false);
    await heard.link.retry();
    expect(relay.callers).toHaveLength(1);
    pass(1_000);
    await until(() => relay.callers.length === 2);
  });

  test('waits as long as a Goodbye asks, but not for ever', async () => {
    const heard = open('deposit');
    const caller = await online(heard);
    caller.say(0, { case: 'goodbye', value: { code: 'relay-busy', reconnectAfterMs: 4_000_000_000 } });
    await until(() => heard.states.at(-1)?.online === false);
    expect(heard.states.at(-1)).toEqual({ online: false, reason: 'relay-busy' });
    pass(59_999);
    expect(relay.callers).toHaveLength(1);
    pass(1);
    await until(() => relay.callers.length === 2);
  });

  test('comes back to a relay that restarts at its own moment of the time that the relay gives', async () => {
    const heard = open('deposit');
    const caller = await online(heard);
    caller.say(0, { case: 'goodbye', value: { code: 'relay-closing', reconnectAfterMs: 2_000, reconnectWithinMs: 10_000 } });
    await until(() => heard.states.at(-1)?.online === false);
    // Chance is a half here.
    pass(6_999);
    expect(relay.callers).toHaveLength(1);
    pass(1);
    await until(() => relay.callers.length === 2);
  });

  test('dials at once when the network has changed, whether it was online, dialling or waiting', async () => {
    const heard = open('deposit');
    await online(heard);
    relay.script.request = () => {};
    const put = code(heard.link.put(MAILBOX, ENVELOPE, 60));
    heard.link.hurry();
    expect(heard.states.at(-1)?.online).toBe(true);
    expect(await put).toBe('relay-unreachable');
    expect(heard.states.at(-1)).toEqual({ online: false, reason: 'the network has changed' });
    heard.link.hurry();
    const caller = await online(heard);
    caller.socket.terminate();
    await until(() => failures === 1);
    heard.link.hurry();
    await online(heard);
    expect(failures).toBe(1);
  });

  test('says nothing more once it is closed, and closes twice without harm', async () => {
    const heard = open('deposit');
    const caller = await online(heard);
    relay.script.request = () => {};
    const put = code(heard.link.put(MAILBOX, ENVELOPE, 60));
    heard.link.close();
    heard.link.close();
    heard.link.hurry();
    expect(await put).toBe('relay-unreachable');
    expect(await code(heard.link.put(MAILBOX, ENVELOPE, 60))).toBe('relay-unreachable');
    await until(() => caller.socket.readyState === caller.socket.CLOSED);
    expect([heard.states.length, failures, relay.callers.length]).toEqual([1, 0, 1]);
  });

  test('does not tell of a change that its closing overtook', async () => {
    const heard = open('deposit');
    await online(heard);
    heard.link.hurry();
    heard.link.close();
    await Promise.resolve();
    expect(heard.states).toHaveLength(1);
  });

  test('closes while it dials', async () => {
    const heard = open('deposit');
    heard.link.close();
    await relay.close();
    expect([heard.states, failures]).toEqual([[], 0]);
  });

  test('stays offline, without an exception, where the address is none', async () => {
    const heard = open('deposit', 'gopher://relay.example');
    await until(() => heard.states.length === 1);
    expect(heard.states[0]?.online).toBe(false);
  });
});

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
    const { greet } = relay.script;
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(message, { maxLength: 4 }), fc.constantFrom('collect', 'deposit'), async (greets, messages, role) => {
        failures = 0;
        relay.script.greet = (caller) => {
          if (greets) greet(caller);
          for (const said of messages) caller.socket.send(said);
          caller.socket.close();
        };
        const { link, states } = open(role);
        await until(() => failures === 1);
        relay.script.greet = greet;
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
    const heard = open('deposit');
    const caller = await online(heard);
    const put = code(heard.link.put(MAILBOX, ENVELOPE, 60));
    relay.script.request = () => {};
    caller.socket.send(said);
    await until(() => heard.states.at(-1)?.online === false);
    expect(heard.states.at(-1)).toEqual({ online: false, reason: 'broke the protocol' });
    expect(['relay-unreachable', 'resolved']).toContain(await put);
  });

  test('loses the connection when it answers a Put with a card', async () => {
    const heard = open('deposit');
    await online(heard);
    relay.script.request = (caller, { request }) => caller.say(request, { case: 'card', value: { card: Uint8Array.of(1) } });
    expect(await code(heard.link.put(MAILBOX, ENVELOPE, 60))).toBe('relay-unreachable');
  });

  test('of another version is not spoken to', async () => {
    relay.script.greet = (caller) => caller.say(0, { case: 'welcome', value: { version: 2, challenge: CHALLENGE, stunPort: 0 } });
    const heard = open('deposit');
    await until(() => heard.states.length === 1);
    expect(heard.states[0]?.online).toBe(false);
    expect(relay.callers[0]?.pings).toBe(0);
  });

  test('cannot make a frame larger than the contract allows reach the link', async () => {
    const heard = open('collect');
    const caller = await online(heard);
    caller.socket.send(new Uint8Array(10_000_000));
    await until(() => heard.states.at(-1)?.online === false);
    expect(heard.states.at(-1)).toEqual({ online: false, reason: 'Max payload size exceeded' });
  });
});
