// What every store of a relay must do, whatever engine stands behind it. Time is an argument, so a month passes at once.

import { describe, expect, onTestFinished, test } from 'vitest';
import type { Answer, Operation } from '../../relay/core/operation.js';
import { LIMITS, type Limits } from '../../relay/core/limits.js';
import type { Store } from '../../relay/stores/store.js';
import { ENVELOPE_MAX_BYTES } from '../../relay/wire/limits.js';
import { random, temporaryFolder } from './support.js';

const NOW = 1_800_000_000_000;
const DONE = { kind: 'done' };

/** When a mailbox that was collected at NOW and never again is removed. */
const UNUSED = NOW + LIMITS.mailboxSeconds * 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

interface Place {
  readonly mailbox: Uint8Array;
  readonly owner: Uint8Array;
  readonly tokenHash: Uint8Array;
}

const newPlace = (): Place => ({ mailbox: random(16), owner: random(32), tokenHash: random(32) });
const open = (place: Place, create = true): Operation => ({ kind: 'open', ...place, create });
const refusal = (code: string) => ({ kind: 'refused', code });

function put({ mailbox, tokenHash }: Place, envelope: Uint8Array, { id = random(16), ttlMs = HOUR_MS } = {}): Operation {
  return { kind: 'put', mailbox, tokenHash, id, envelope, expiresAt: NOW + ttlMs };
}

function list({ mailbox }: Place, { after = 0, limit = 10_000, maxBytes = Infinity } = {}): Operation {
  return { kind: 'list', mailbox, after, limit, maxBytes };
}

/** Runs the suite. `openStore` opens what is kept under the name of a folder that exists, and must open it again after close(). */
export function describeStore(name: string, openStore: (folder: string, limits: Limits, now: number) => Store | Promise<Store>): void {
  async function fresh(limits: Partial<Limits> = {}): Promise<{ store: Store; run: (operation: Operation, now?: number) => Promise<Answer> }> {
    const store = await openStore(temporaryFolder(), { ...LIMITS, ...limits }, NOW);
    onTestFinished(() => store.close());
    return { store, run: async (operation, now = NOW) => (await store.run([operation], now))[0]! };
  }

  async function withMailbox(limits: Partial<Limits> = {}) {
    const place = newPlace();
    const opened = await fresh(limits);
    await opened.run(open(place));
    return { ...opened, place };
  }

  describe(name, () => {
    test('an envelope is listed with its sequence and time until it is acknowledged', async () => {
      const { run, place } = await withMailbox();
      const envelope = random(2_048);
      expect(await run(put(place, envelope))).toEqual({ kind: 'stored', sequence: 1 });
      expect(await run(put(place, random(10)), NOW + 5)).toEqual({ kind: 'stored', sequence: 2 });
      const listed = await run(list(place, { limit: 1 }));
      expect(listed).toMatchObject({ kind: 'listed', more: true });
      if (listed.kind !== 'listed') return;
      expect(listed.envelopes[0]).toMatchObject({ sequence: 1, storedAt: NOW });
      expect(Buffer.from(listed.envelopes[0]!.envelope).equals(envelope)).toBe(true);
      expect(await run({ kind: 'acknowledge', mailbox: place.mailbox, sequences: [1, 1, 77] })).toEqual(DONE);
      expect(await run(list(place))).toMatchObject({ more: false, envelopes: [{ sequence: 2, storedAt: NOW + 5 }] });
    });

    test('a sequence is never given out twice, even after everything was acknowledged', async () => {
      const { run, place } = await withMailbox();
      await run(put(place, random(10)));
      await run({ kind: 'acknowledge', mailbox: place.mailbox, sequences: [1] });
      expect(await run(put(place, random(10)))).toEqual({ kind: 'stored', sequence: 2 });
    });

    test('a list starts after a sequence and stops at its limits of number and bytes', async () => {
      const { run, place } = await withMailbox();
      for (let count = 0; count < 5; count += 1) await run(put(place, random(1_000)));
      expect(await run(list(place, { after: 3 }))).toMatchObject({ more: false, envelopes: [{ sequence: 4 }, { sequence: 5 }] });
      expect(await run(list(place, { after: 1, maxBytes: 1_500 }))).toMatchObject({ more: true, envelopes: [{ sequence: 2 }, { sequence: 3 }] });
      expect(await run(list(place, { limit: 5 }))).toMatchObject({ more: false });
      expect(await run(list(newPlace()))).toEqual({ kind: 'listed', envelopes: [], more: false });
    });

    test('operations of one group see the earlier ones and not the later ones', async () => {
      const { store } = await fresh();
      const place = newPlace();
      const answers = await store.run([put(place, random(1)), open(place), put(place, random(2)), list(place), put(place, random(3))], NOW);
      expect(answers).toMatchObject([refusal('mailbox-unknown'), { created: true, waiting: 0 }, { sequence: 1 }, { envelopes: [{ sequence: 1 }] }, { sequence: 2 }]);
    });

    test('an envelope that waits already is kept once, and can be put again after it was acknowledged', async () => {
      const { run, place } = await withMailbox();
      const id = random(16);
      const envelope = random(100);
      expect(await run(put(place, envelope, { id }))).toEqual({ kind: 'stored', sequence: 1 });
      expect(await run(put(place, envelope, { id }))).toEqual(DONE);
      expect(await run(list(place))).toMatchObject({ envelopes: [{ sequence: 1 }] });
      await run({ kind: 'acknowledge', mailbox: place.mailbox, sequences: [1] });
      expect(await run(put(place, envelope, { id }))).toEqual({ kind: 'stored', sequence: 2 });
    });

    test('the same envelope in two mailboxes is two envelopes', async () => {
      const { run, place } = await withMailbox();
      const other = newPlace();
      await run(open(other));
      const id = random(16);
      expect(await run(put(place, random(1), { id }))).toMatchObject({ sequence: 1 });
      expect(await run(put(other, random(1), { id }))).toMatchObject({ sequence: 1 });
    });

    test('a mailbox opens only for its owner, who may change its token', async () => {
      const { run, place } = await withMailbox();
      expect(await run(open({ ...place, owner: random(32) }))).toEqual(refusal('mailbox-taken'));
      await run(put(place, random(1)));
      const changed = { ...place, tokenHash: random(32) };
      expect(await run(open(changed))).toEqual({ kind: 'opened', created: false, waiting: 1 });
      expect(await run(put(place, random(1)))).toEqual(refusal('token-wrong'));
      expect(await run(put(changed, random(1)))).toMatchObject({ kind: 'stored' });
    });

    test('a wrong token and an unknown mailbox are refused and change nothing', async () => {
      const { run, place } = await withMailbox();
      expect(await run(put({ ...place, tokenHash: random(32) }, random(1)))).toEqual(refusal('token-wrong'));
      expect(await run(put(newPlace(), random(1)))).toEqual(refusal('mailbox-unknown'));
      expect(await run(list(place))).toEqual({ kind: 'listed', envelopes: [], more: false });
    });

    test('a mailbox takes its quota of envelopes and not one more, until some are acknowledged', async () => {
      const { store, run, place } = await withMailbox();
      const full = Array.from({ length: LIMITS.mailboxEnvelopes }, () => put(place, random(1)));
      expect((await store.run(full, NOW)).every(({ kind }) => kind === 'stored')).toBe(true);
      expect(await run(put(place, random(1)))).toEqual({ ...refusal('mailbox-full'), roomAt: NOW + HOUR_MS });
      await run({ kind: 'acknowledge', mailbox: place.mailbox, sequences: [1] });
      expect(await run(put(place, random(1)))).toMatchObject({ kind: 'stored' });
    });

    test('a full mailbox takes a tenth more of passing envelopes, which stand in nobody’s way when they have passed', async () => {
      const limits = { mailboxEnvelopes: 20, mailboxBytes: 20_000 };
      const passing = { ttlMs: LIMITS.passingSeconds * 1_000 };
      for (const [count, length] of [[20, 10], [10, 2_000]] as const) {
        const { store, run, place } = await withMailbox(limits);
        const more = count / 10;
        await store.run(Array.from({ length: count }, () => put(place, random(length))), NOW);
        expect(await run(put(place, random(length), { ttlMs: passing.ttlMs + 1 }))).toMatchObject(refusal('mailbox-full'));
        const answers = await store.run(Array.from({ length: more + 1 }, () => put(place, random(length), passing)), NOW);
        expect(answers.map(({ kind }) => kind)).toEqual([...Array.from({ length: more }, () => 'stored'), 'refused']);
        await run({ kind: 'acknowledge', mailbox: place.mailbox, sequences: [1] });
        expect(await run(put(place, random(length)))).toMatchObject(refusal('mailbox-full'));
        await run({ kind: 'expire', limit: 100 }, NOW + passing.ttlMs);
        expect(await run(put(place, random(length)), NOW + passing.ttlMs)).toMatchObject({ kind: 'stored' });
      }
    });

    test('a mailbox takes its quota of bytes and not one more', async () => {
      const { store, run, place } = await withMailbox();
      const full = Array.from({ length: LIMITS.mailboxBytes / ENVELOPE_MAX_BYTES }, () => put(place, random(ENVELOPE_MAX_BYTES)));
      expect((await store.run(full, NOW)).every(({ kind }) => kind === 'stored')).toBe(true);
      expect(await run(put(place, random(1)))).toMatchObject(refusal('mailbox-full'));
    });

    test('what has expired is not listed, and expiring it frees its place', async () => {
      const { store, run, place } = await withMailbox();
      const id = random(16);
      await store.run(Array.from({ length: LIMITS.mailboxEnvelopes - 1 }, () => put(place, random(1), { ttlMs: 1_000 })), NOW);
      await run(put(place, random(1), { id, ttlMs: 5_000 }));
      expect(await run(list(place), NOW + 999)).toMatchObject({ envelopes: { length: LIMITS.mailboxEnvelopes } });
      expect(await run(list(place), NOW + 1_000)).toMatchObject({ envelopes: { length: 1 } });
      expect(await run({ kind: 'expire', limit: 600 }, NOW + 1_000)).toEqual({ kind: 'expired', nextAt: NOW + 1_000 });
      expect(await run({ kind: 'expire', limit: 600 }, NOW + 1_000)).toEqual({ kind: 'expired', nextAt: NOW + 5_000 });
      expect(await run({ kind: 'expire', limit: 600 }, NOW + 4_999)).toEqual({ kind: 'expired', nextAt: NOW + 5_000 });
      expect(await run(open(place))).toEqual({ kind: 'opened', created: false, waiting: 1 });
      expect(await run({ kind: 'expire', limit: 600 }, NOW + 5_000)).toEqual({ kind: 'expired', nextAt: UNUSED });
      expect(await run(open(place))).toEqual({ kind: 'opened', created: false, waiting: 0 });
    });

    test('an envelope that has expired can be put again before it was swept away', async () => {
      const { run, place } = await withMailbox();
      const id = random(16);
      await run(put(place, random(1), { id, ttlMs: 10 }));
      expect(await run(put(place, random(1), { id, ttlMs: 60_000 }), NOW + 10)).toEqual({ kind: 'stored', sequence: 2 });
      expect(await run({ kind: 'expire', limit: 10 }, NOW + 10)).toEqual({ kind: 'expired', nextAt: NOW + 60_000 });
      expect(await run(list(place), NOW + 10)).toMatchObject({ envelopes: [{ sequence: 2 }] });
    });

    test('a closed mailbox is unknown, its envelopes are gone, and nothing of it is left to expire', async () => {
      const { run, place } = await withMailbox();
      for (let count = 0; count < 3; count += 1) await run(put(place, random(100)));
      expect(await run({ kind: 'close', mailbox: place.mailbox })).toEqual(DONE);
      expect(await run({ kind: 'close', mailbox: place.mailbox })).toEqual(DONE);
      expect(await run(put(place, random(1)))).toEqual(refusal('mailbox-unknown'));
      expect(await run(list(place))).toMatchObject({ envelopes: [] });
      expect(await run({ kind: 'expire', limit: 10 }, NOW)).toEqual({ kind: 'expired', nextAt: null });
      expect(await run(open(place))).toEqual({ kind: 'opened', created: true, waiting: 0 });
    });

    test('the neighbours of a mailbox in the order of keys are not touched', async () => {
      const { run } = await fresh();
      const places = [0x10, 0x11, 0x12].map((last) => Object.assign(newPlace(), { mailbox: Uint8Array.from([...Array<number>(15).fill(7), last]) }));
      for (const place of places) {
        await run(open(place));
        await run(put(place, random(10)));
      }
      await run({ kind: 'close', mailbox: places[1]!.mailbox });
      expect(await run(list(places[0]!))).toMatchObject({ envelopes: [{ sequence: 1 }] });
      expect(await run(list(places[1]!))).toMatchObject({ envelopes: [] });
      expect(await run(list(places[2]!))).toMatchObject({ envelopes: [{ sequence: 1 }] });
    });

    test('a card is given to the first claim, again to the same claim, and to no other', async () => {
      const { run } = await fresh();
      const [lookup, card, claim] = [random(16), random(2_088), random(16)];
      const take = (who: Uint8Array): Operation => ({ kind: 'take-card', lookup, claim: who });
      expect(await run(take(claim))).toEqual(refusal('card-unknown'));
      expect(await run({ kind: 'put-card', lookup, card, reusable: false, expiresAt: NOW + 100 })).toEqual(DONE);
      expect(await run({ kind: 'put-card', lookup, card, reusable: false, expiresAt: NOW + 100 })).toEqual(DONE);
      expect(await run({ kind: 'put-card', lookup, card: random(2_088), reusable: false, expiresAt: NOW + 100 })).toEqual(refusal('card-taken'));
      for (let again = 0; again < 2; again += 1) {
        const taken = await run(take(claim));
        expect(taken.kind === 'card' && Buffer.from(taken.card).equals(card)).toBe(true);
      }
      expect(await run(take(random(16)))).toEqual(refusal('card-taken'));
      expect(await run({ kind: 'put-card', lookup, card, reusable: false, expiresAt: NOW + 100 })).toEqual(DONE);
      expect(await run(take(random(16)))).toEqual(refusal('card-taken'));
    });

    test('a card that has expired is unknown, is swept away, and its place is free', async () => {
      const { run } = await fresh();
      const lookup = random(16);
      await run({ kind: 'put-card', lookup, card: random(10), reusable: false, expiresAt: NOW + 100 });
      expect(await run({ kind: 'take-card', lookup, claim: random(16) }, NOW + 100)).toEqual(refusal('card-unknown'));
      expect(await run({ kind: 'put-card', lookup, card: random(11), reusable: false, expiresAt: NOW + 900 }, NOW + 100)).toEqual(DONE);
      expect(await run({ kind: 'expire', limit: 10 }, NOW + 100)).toEqual({ kind: 'expired', nextAt: NOW + 900 });
      expect(await run({ kind: 'expire', limit: 10 }, NOW + 900)).toEqual({ kind: 'expired', nextAt: null });
    });

    test('a mailbox that nobody collects is removed with all that is in it, and not before', async () => {
      const { run, store, place } = await withMailbox();
      await run(put(place, random(10), { ttlMs: LIMITS.mailboxSeconds * 2_000 }));
      expect(await run({ kind: 'expire', limit: 10 }, UNUSED - 1)).toEqual({ kind: 'expired', nextAt: UNUSED });
      expect(await run({ kind: 'expire', limit: 10 }, UNUSED)).toEqual({ kind: 'expired', nextAt: null });
      expect(await run(put(place, random(10)), UNUSED)).toEqual(refusal('mailbox-unknown'));
      expect(store.totals).toEqual({ mailboxes: 0, envelopes: 0, cards: 0, bytes: 0 });
    });

    test('collecting a mailbox, or staying connected to it, keeps it', async () => {
      const { run, place } = await withMailbox();
      const later = NOW + 30 * DAY_MS;
      expect(await run(open(place), later)).toMatchObject({ created: false });
      expect(await run({ kind: 'expire', limit: 10 }, UNUSED)).toEqual({ kind: 'expired', nextAt: UNUSED + 30 * DAY_MS });
      expect(await run({ kind: 'touch', mailbox: place.mailbox }, later + 30 * DAY_MS)).toEqual(DONE);
      expect(await run({ kind: 'expire', limit: 10 }, UNUSED)).toEqual({ kind: 'expired', nextAt: UNUSED + 60 * DAY_MS });
      expect(await run({ kind: 'touch', mailbox: random(16) })).toEqual(DONE);
    });

    test('a mailbox that may not be made is unknown, and one that is there opens all the same', async () => {
      const { run, place } = await withMailbox();
      expect(await run(open(newPlace(), false))).toEqual(refusal('mailbox-unknown'));
      expect(await run(open(place, false))).toEqual({ kind: 'opened', created: false, waiting: 0 });
    });

    test('the store takes its limit of mailboxes and of bytes, counts them right, and takes more when some are gone', async () => {
      const { run, store, place } = await withMailbox({ storeMailboxes: 2, storeBytes: 1_000 });
      expect(await run(open(newPlace()))).toMatchObject({ created: true });
      expect(await run(open(newPlace()))).toEqual(refusal('relay-busy'));
      expect(await run(open(place))).toMatchObject({ created: false });
      const lookup = random(16);
      await run({ kind: 'put-card', lookup, card: random(300), reusable: false, expiresAt: NOW + 50 });
      await run(put(place, random(700)));
      expect(store.totals).toEqual({ mailboxes: 2, envelopes: 1, cards: 1, bytes: 1_000 });
      expect(await run(put(place, random(1)))).toEqual(refusal('relay-busy'));
      expect(await run({ kind: 'put-card', lookup: random(16), card: random(1), reusable: false, expiresAt: NOW + 50 })).toEqual(refusal('relay-busy'));
      await run({ kind: 'expire', limit: 10 }, NOW + 50);
      expect(await run(put(place, random(300)))).toMatchObject({ kind: 'stored' });
      await run({ kind: 'acknowledge', mailbox: place.mailbox, sequences: [1, 2] });
      await run({ kind: 'close', mailbox: place.mailbox });
      expect(store.totals).toEqual({ mailboxes: 1, envelopes: 0, cards: 0, bytes: 0 });
    });

    test('a reusable card is given to everybody until it expires, also after closing and opening', async () => {
      const folder = temporaryFolder();
      const [lookup, card] = [random(16), random(2_088)];
      const keep = { kind: 'put-card', lookup, card, reusable: true, expiresAt: NOW + 100 } as const;
      const take = (): Operation => ({ kind: 'take-card', lookup, claim: random(16) });
      const isCard = (answer: Answer | undefined): boolean => answer?.kind === 'card' && Buffer.from(answer.card).equals(card);
      const before = await openStore(folder, LIMITS, NOW);
      expect(await before.run([keep, keep, { ...keep, reusable: false }, { ...keep, card: random(2_088) }], NOW)).toEqual([DONE, DONE, refusal('card-taken'), refusal('card-taken')]);
      expect((await before.run([take(), take()], NOW)).every(isCard)).toBe(true);
      await before.close();
      const after = await openStore(folder, LIMITS, NOW);
      onTestFinished(() => after.close());
      expect((await after.run([take(), take()], NOW + 99)).every(isCard)).toBe(true);
      expect(await after.run([take()], NOW + 100)).toEqual([refusal('card-unknown')]);
    });

    test('groups that overlap keep their order', async () => {
      const { store, place } = await withMailbox();
      const groups = Array.from({ length: 50 }, () => store.run([put(place, random(500)), put(place, random(500))], NOW));
      const sequences = (await Promise.all(groups)).flat().map((answer) => (answer.kind === 'stored' ? answer.sequence : 0));
      expect(sequences).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    });

    test('everything is there again after closing and opening', async () => {
      const folder = temporaryFolder();
      const place = newPlace();
      const [lookup, claim] = [random(16), random(16)];
      const before = await openStore(folder, LIMITS, NOW);
      await before.run([open(place), put(place, random(10)), put(place, random(20)), { kind: 'put-card', lookup, card: random(9), reusable: false, expiresAt: NOW + 9 }], NOW);
      await before.run([{ kind: 'acknowledge', mailbox: place.mailbox, sequences: [1] }, { kind: 'take-card', lookup, claim }], NOW);
      await before.close();
      const after = await openStore(folder, LIMITS, NOW);
      onTestFinished(() => after.close());
      const answers = await after.run([open({ ...place, owner: random(32) }), list(place), put(place, random(30)), { kind: 'take-card', lookup, claim: random(16) }], NOW);
      expect(answers).toMatchObject([refusal('mailbox-taken'), { envelopes: [{ sequence: 2 }] }, { sequence: 3 }, refusal('card-taken')]);
    });
  });
}
