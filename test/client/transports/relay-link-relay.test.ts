// The link against the relay itself: what both say to each other, and a relay that is restarted under it.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { OwnMailbox } from '../../../client/core/records.js';
import type { Link, LinkOptions, LinkState } from '../../../client/transports/link.js';
import { openRelayLink } from '../../../client/transports/relay-link.js';
import { NodeSocket } from '../../../client/transports/socket-node.js';
import { admissionHash } from '../../../relay/core/admission.js';
import { startRelay, type RunningRelay } from '../../../relay/run.js';
import { freePort } from '../../support/port.js';

const WAIT = { timeout: 60_000, interval: 5 };
const data = mkdtempSync(join(tmpdir(), 'sotto-link-'));
const openLink = openRelayLink({ WebSocket: NodeSocket, now: () => performance.now(), random: Math.random });

let relay: RunningRelay;
const links: Link[] = [];

async function open(role: LinkOptions['role']): Promise<{ link: Link; states: LinkState[]; deliveries: { mailbox: string; sequence: number; envelope: Uint8Array; ageMs: number }[] }> {
  const states: LinkState[] = [];
  const deliveries: { mailbox: string; sequence: number; envelope: Uint8Array; ageMs: number }[] = [];
  const link = openLink({ relay: `http://127.0.0.1:${relay.port}`, role, onState: (state) => states.push(state), onDelivery: (delivery) => deliveries.push(delivery) });
  links.push(link);
  await vi.waitFor(() => expect(states.at(-1)?.online).toBe(true), WAIT);
  return { link, states, deliveries };
}

function newMailbox(): OwnMailbox {
  return { relay: '', mailbox: randomBytes(16).toString('hex'), ownerSeed: randomBytes(32), token: randomBytes(16) };
}

const refused = (code: string): unknown => expect.objectContaining({ code });

beforeAll(async () => {
  relay = await startRelay({ host: '127.0.0.1', port: await freePort(), stunPort: 0, data });
});

afterEach(() => {
  for (const link of links.splice(0)) link.close();
});

afterAll(async () => {
  await relay.close();
  rmSync(data, { recursive: true });
});

test('an envelope goes from a depositing link to a collecting one, and is gone once it is acknowledged', async () => {
  const [owner, sender, mailbox] = [await open('collect'), await open('deposit'), newMailbox()];
  expect(owner.states[0]).toEqual({ online: true, rttMs: expect.any(Number), stunPort: relay.stunPort, stunOtherPort: expect.any(Number) });
  await owner.link.collect(mailbox);
  const envelopes = Array.from({ length: 100 }, (_, number) => new Uint8Array(randomBytes(1 + number * 20)));
  await Promise.all(envelopes.map((envelope) => sender.link.put(mailbox, envelope, 60)));
  await vi.waitFor(() => expect(owner.deliveries).toHaveLength(100), WAIT);
  expect(owner.deliveries.map(({ envelope }) => envelope)).toEqual(envelopes);
  await owner.link.acknowledge(mailbox.mailbox, owner.deliveries.slice(0, 99).map(({ sequence }) => sequence));
  const again = await open('collect');
  await again.link.collect(mailbox);
  await vi.waitFor(() => expect(again.deliveries.map(({ envelope }) => envelope)).toEqual(envelopes.slice(99)), WAIT);
});

test("the relay's refusals arrive with their codes", async () => {
  const [owner, sender, mailbox] = [await open('collect'), await open('deposit'), newMailbox()];
  await expect(sender.link.put(mailbox, Uint8Array.of(1), 60)).rejects.toEqual(refused('mailbox-unknown'));
  await owner.link.collect(mailbox);
  await expect(sender.link.put({ ...mailbox, token: randomBytes(16) }, Uint8Array.of(1), 60)).rejects.toEqual(refused('token-wrong'));
  await expect(owner.link.collect({ ...mailbox, ownerSeed: randomBytes(32) })).rejects.toEqual(refused('mailbox-taken'));
  await expect(owner.link.put(mailbox, Uint8Array.of(1), 60)).rejects.toEqual(refused('wrong-connection'));
  await expect(sender.link.put(mailbox, new Uint8Array(65_537), 60)).rejects.toEqual(refused('envelope-too-large'));
  await owner.link.closeMailbox(mailbox.mailbox);
  await expect(sender.link.put(mailbox, Uint8Array.of(1), 60)).rejects.toEqual(refused('mailbox-unknown'));
});

test('a card is given to the first claim, again to the same claim, and to no other', async () => {
  const [publisher, taker] = [await open('collect'), await open('deposit')];
  const [lookup, claim, card] = [randomBytes(16), randomBytes(16), new Uint8Array(randomBytes(2_088))];
  await expect(taker.link.takeCard(lookup, claim)).rejects.toEqual(refused('card-unknown'));
  await publisher.link.putCard(lookup, card, false, 60);
  expect(await taker.link.takeCard(lookup, claim)).toEqual(card);
  expect(await taker.link.takeCard(lookup, claim)).toEqual(card);
  await expect(taker.link.takeCard(lookup, randomBytes(16))).rejects.toEqual(refused('card-taken'));
});

test('a relay that asks for work gets it, and one that asks for its token gets that, without being asked twice for a mailbox that is there', async () => {
  const token = Buffer.from('the token of this operator');
  for (const admission of [{ kind: 'work', bits: 10 }, { kind: 'token', tokenHash: admissionHash(token) }] as const) {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-link-'));
    const strict = await startRelay({ host: '127.0.0.1', port: 0, stunPort: 0, data: folder, admission });
    const openTo = (openWith: typeof openLink) => openWith({ relay: `http://127.0.0.1:${strict.port}`, role: 'collect', onState: () => {}, onDelivery: () => {} });
    const [knowing, stranger] = [openTo(openRelayLink({ WebSocket: NodeSocket, now: () => performance.now(), random: Math.random, admission: token })), openTo(openLink)];
    links.push(knowing, stranger);
    const mailbox = newMailbox();
    await vi.waitFor(() => knowing.collect(mailbox), WAIT);
    await vi.waitFor(() => stranger.collect(mailbox), WAIT);
    if (admission.kind === 'token') await expect(stranger.collect(newMailbox())).rejects.toEqual(refused('admission-required'));
    else await stranger.collect(newMailbox());
    await strict.close();
    rmSync(folder, { recursive: true });
  }
});

test('a restarted relay is found again, with everything that it had promised to keep', async () => {
  const [owner, sender, mailbox] = [await open('collect'), await open('deposit'), newMailbox()];
  await owner.link.collect(mailbox);
  owner.link.close();
  await sender.link.put(mailbox, Uint8Array.of(1, 2, 3), 60);
  const { port } = relay;
  await relay.close();
  await vi.waitFor(() => expect(sender.states.at(-1)?.online).toBe(false), WAIT);
  await expect(sender.link.put(mailbox, Uint8Array.of(4), 60)).rejects.toEqual(refused('relay-unreachable'));
  relay = await startRelay({ host: '127.0.0.1', port, stunPort: 0, data });
  await vi.waitFor(() => expect(sender.states.at(-1)?.online).toBe(true), WAIT);
  await sender.link.put(mailbox, Uint8Array.of(4, 5, 6), 60);
  const back = await open('collect');
  await back.link.collect(mailbox);
  await vi.waitFor(() => expect(back.deliveries.map(({ envelope }) => envelope)).toEqual([Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)]), WAIT);
});
