// Somebody is away for so long that their mailbox fills up: whoever writes to them is told, nothing is lost, and everything arrives
// soon after they are back, however long the relay had advised to wait.

import { afterAll, expect, test } from 'vitest';
import { eventually, type Json, Story } from '../support/command.js';

const TEXTS = 8;
/** Three fillings of the mailbox, each with the relay's advice before it, on a busy machine. */
const PATIENCE_MS = 180_000;

const story = new Story();
afterAll(() => story.end());

test('a full mailbox is told to the sender, and what waited for it arrives when its owner is back', async () => {
  const relay = story.start(['relay', '--port', '0', '--stun-port', '0', '--metrics', 'off', '--mailbox-envelopes', '5', '--data', story.home('relay'), '--json']);
  const { port } = JSON.parse(await relay.line((line) => line.includes('listening'))) as { port: number };
  const { alice, bob } = await story.acquaint(port);
  const listening = story.start(['listen', '--json', '--home', alice]);
  const held = async (): Promise<unknown> => {
    const { contacts } = await story.json(['status', '--home', alice]) as { contacts: Json[] };
    return contacts[0]?.held;
  };
  await eventually(async () => (await story.json(['status', '--home', alice]))['contacts'] as Json[], (contacts) => contacts.length === 1);
  for (let number = 1; number <= TEXTS; number += 1) await story.json(['send', 'Bob', `text ${number}`, '--wait', 'queued', '--home', alice]);
  expect(await eventually(held, (value) => value !== null)).toMatchObject({ reason: 'mailbox-full', until: expect.any(Number) });
  expect((await story.run(['status', '--home', alice])).out).toMatch(/queued: the contact's mailbox is full; tried again by /);
  const { err } = await story.run(['send', 'Bob', 'one more', '--timeout', '1', '--home', alice]);
  expect(err).toContain("it stays queued here. The contact's mailbox is full.");

  const back = story.start(['listen', '--json', '--home', bob]);
  await eventually(async () => back.texts().length, (count) => count === TEXTS + 1, PATIENCE_MS);
  expect(back.texts()).toEqual([...Array.from({ length: TEXTS }, (_, index) => `text ${index + 1}`), 'one more']);
  await eventually(held, (value) => value === null);
  expect(listening.child.exitCode).toBeNull();
}, 2 * PATIENCE_MS);
