// A day, and then half a year, of a relay's life in seconds: the brain and the real store, with the clock as an argument. What
// expires goes, what is full is refused, nothing else is lost, and memory and file stay as small as what they hold.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { ready } from '../../crypto/sodium.js';
import { LIMITS, type Limits } from '../../relay/core/limits.js';
import { Relay, type Input } from '../../relay/core/relay.js';
import { openLmdbStore } from '../../relay/stores/lmdb.js';
import type { Store } from '../../relay/stores/store.js';
import { decodeRelayFrame, encodeClientFrame } from '../../relay/wire/frame.js';
import { acknowledge, collect, newMailbox, put, random, temporaryFolder, type Body, type Mailbox } from './support.js';

beforeAll(ready);

const START = 1_800_000_000_000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const CHALLENGE = new Uint8Array(32).fill(3);
const PEOPLE = 12;
/** A step of the day, and the days of the soak; more with SOTTO_DAYS. */
const STEP_MS = 5 * MINUTE_MS;
const DAYS = Number(process.env['SOTTO_DAYS'] ?? 1);

/** The loop of a relay without sockets: it gives the brain what its store answers, and wakes it when it asks for it. */
class World {
  readonly relay: Relay;
  readonly store: Store;
  now = START;
  #wakeAt = Infinity;
  #request = 0;
  readonly delivered: { readonly connection: number; readonly mailbox: Uint8Array; readonly sequence: bigint; readonly envelope: Uint8Array }[] = [];
  readonly outcomes = new Map<string, number>();

  constructor(store: Store, limits: Limits = LIMITS) {
    this.store = store;
    this.relay = new Relay(0, 0, limits);
  }

  async input(input: Input): Promise<void> {
    const inputs = [input];
    for (let next = inputs.shift(); next !== undefined; next = inputs.shift()) {
      for (const output of this.relay.handle(next, this.now)) {
        if (output.kind === 'wake') this.#wakeAt = output.at;
        if (output.kind === 'send') this.#heard(output.connection, output.frame);
        if (output.kind === 'store') {
          const [answer] = await this.store.run([output.operation], this.now);
          inputs.push({ kind: 'answered', reference: output.reference, answer: answer! });
        }
      }
    }
  }

  ask(connection: number, body: Body): Promise<void> {
    this.#request += 1;
    return this.input({ kind: 'frame', connection, bytes: encodeClientFrame(this.#request, body) });
  }

  /** Time passes; the brain is woken on the way as often as it wants. */
  async passTo(time: number): Promise<void> {
    while (this.#wakeAt <= time) {
      this.now = this.#wakeAt;
      this.#wakeAt = Infinity;
      await this.input({ kind: 'wake' });
    }
    this.now = time;
  }

  #heard(connection: number, frame: Uint8Array): void {
    const { body } = decodeRelayFrame(frame);
    if (body.case === 'delivery') this.delivered.push({ connection, ...body.value });
    const outcome = body.case === 'refused' ? body.value.code : body.case;
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }
}

test(`${DAYS * 24} hours: what is due goes, what is accepted arrives, and nothing piles up`, async () => {
  const folder = temporaryFolder();
  const store = openLmdbStore(folder, LIMITS, START);
  onTestFinished(() => store.close());
  const world = new World(store);
  await world.input({ kind: 'wake' });
  const people: Mailbox[] = Array.from({ length: PEOPLE }, newMailbox);
  const expected = new Map<string, { readonly person: number; readonly until: number }>();
  await world.input({ kind: 'opened', connection: 1, role: 'collect', challenge: CHALLENGE, source: null });
  for (const mailbox of people) await world.ask(1, collect(mailbox, CHALLENGE));
  await world.input({ kind: 'closed', connection: 1 });
  await world.input({ kind: 'opened', connection: 1_000, role: 'deposit', challenge: CHALLENGE, source: null });
  const curve: string[] = [];
  for (let step = 0; world.now < START + DAYS * DAY_MS; step += 1) {
    await world.passTo(START + (step + 1) * STEP_MS);
    const hour = Math.floor((step * STEP_MS) / (60 * MINUTE_MS));
    for (const [person, mailbox] of people.entries()) {
      const envelope = random(200 + (step % 7) * 150);
      // Some are worth a minute, most an hour, some much longer.
      const ttlSeconds = step % 5 === 0 ? 60 : step % 11 === 0 ? 30 * 24 * 3_600 : 3_600;
      await world.ask(1_000, put(mailbox, envelope, ttlSeconds));
      expected.set(toHex(envelope.subarray(0, 16)), { person, until: world.now + ttlSeconds * 1_000 });
      // Each person is there every third hour, some rotate their mailbox when they leave.
      const isThere = (hour + person) % 3 === 0;
      if (!isThere || step % 6 !== 0) continue;
      await world.input({ kind: 'opened', connection: person + 1, role: 'collect', challenge: CHALLENGE, source: null });
      await world.ask(person + 1, collect(mailbox, CHALLENGE));
      for (const { sequence, envelope: got } of world.delivered.splice(0)) {
        const what = expected.get(toHex(got.subarray(0, 16)));
        expect(what?.person).toBe(person);
        expect(what!.until).toBeGreaterThan(world.now);
        expected.delete(toHex(got.subarray(0, 16)));
        await world.ask(person + 1, acknowledge(mailbox, sequence));
      }
      if (step % 48 === 0) {
        await world.ask(person + 1, { case: 'close', value: { mailbox: mailbox.mailbox } });
        for (const [id, { person: whose }] of expected) if (whose === person) expected.delete(id);
        people[person] = newMailbox();
        await world.ask(person + 1, collect(people[person], CHALLENGE));
      }
      await world.input({ kind: 'closed', connection: person + 1 });
    }
    for (const [id, { until }] of expected) if (until <= world.now) expected.delete(id);
    if (step % 48 === 47) curve.push(`${hour + 1} h: ${store.totals.envelopes} kept, file ${Math.round(statSync(join(folder, 'relay.mdb')).size / 1024)} KiB, heap ${Math.round(process.memoryUsage().heapUsed / 1024 / 1024)} MiB`);
  }
  process.stdout.write(`${curve.join('\n')}\n`);
  await world.passTo(world.now + 1_000);
  expect(store.totals.mailboxes).toBe(PEOPLE);
  expect(store.totals.envelopes).toBe([...expected.values()].filter(({ until }) => until > world.now).length);
  expect(world.outcomes.get('delivery')).toBeGreaterThan(PEOPLE * 10 * DAYS);
  expect([...world.outcomes.keys()].toSorted()).toEqual(['delivery', 'done', 'welcome']);

  // Then everybody stays away.
  await world.passTo(world.now + (LIMITS.mailboxSeconds + 1) * 1_000);
  expect(store.totals).toEqual({ mailboxes: 0, envelopes: 0, cards: 0, bytes: 0 });
}, 60_000 + DAYS * 60_000);

test('what is kept lives as long as its class: passing for minutes, written for what the operator says, cards for what they were made for', async () => {
  const limits = { ...LIMITS, mailboxEnvelopes: 10, envelopeSeconds: 7 * 24 * 3_600 };
  const store = openLmdbStore(temporaryFolder(), limits, START);
  onTestFinished(() => store.close());
  const world = new World(store, limits);
  const mailbox = newMailbox();
  const month = 30 * 24 * 3_600;
  await world.input({ kind: 'wake' });
  await world.input({ kind: 'opened', connection: 1, role: 'collect', challenge: CHALLENGE, source: null });
  await world.input({ kind: 'opened', connection: 2, role: 'deposit', challenge: CHALLENGE, source: null });
  await world.ask(1, collect(mailbox, CHALLENGE));
  await world.ask(1, { case: 'putCard', value: { lookup: random(16), card: random(10), ttlSeconds: 7 * 24 * 3_600 } });
  await world.ask(1, { case: 'putCard', value: { lookup: random(16), card: random(10), ttlSeconds: 36 * 24 * 3_600, reusable: true } });
  await world.input({ kind: 'closed', connection: 1 });
  for (let count = 0; count < 10; count += 1) await world.ask(2, put(mailbox, random(100), month));
  const refusals = (): number => world.outcomes.get('mailbox-full') ?? 0;
  await world.ask(2, put(mailbox, random(100), month));
  expect(refusals()).toBe(1);
  // A call comes through to whoever has not collected yet.
  await world.ask(2, put(mailbox, random(100), 30));
  expect(refusals()).toBe(1);

  const kept = async (ms: number): Promise<readonly number[]> => {
    await world.passTo(START + ms);
    return [store.totals.envelopes, store.totals.cards, store.totals.mailboxes];
  };
  expect(await kept(29_000)).toEqual([11, 2, 1]);
  expect(await kept(30_000)).toEqual([10, 2, 1]);
  expect(await kept(7 * DAY_MS - 1)).toEqual([10, 2, 1]);
  expect(await kept(7 * DAY_MS + 1_000)).toEqual([0, 1, 1]);
  expect(await kept(36 * DAY_MS - 1)).toEqual([0, 1, 1]);
  expect(await kept(36 * DAY_MS + 1_000)).toEqual([0, 0, 1]);
  expect(await kept(181 * DAY_MS)).toEqual([0, 0, 0]);
});
