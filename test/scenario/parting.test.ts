// Bob is blocked, taken back and removed by Alice, with real processes: what each of them sees of it.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, type Json, Story } from '../support/command.js';
import { freePort } from '../support/port.js';

const story = new Story();
let [alice, bob] = ['', ''];

beforeAll(async () => {
  const port = await freePort();
  await story.relay(port);
  ({ alice, bob } = await story.acquaint(port));
  await story.json(['send', 'Alice', 'before', '--wait', 'accepted', '--home', bob]);
});

afterAll(() => story.end());

test('what a blocked contact writes is shown to nobody until they are taken back, and then once', async () => {
  const listening = story.start(['listen', '--json', '--home', alice]);
  await listening.line((line) => line.includes('"before"'));
  expect(await story.json(['contacts', 'block', 'Bob', '--home', alice])).toMatchObject({ contact: { name: 'Bob' }, blocked: true });
  await listening.line((line) => line.includes('"blocked"'));
  expect(await story.json(['contacts', '--home', alice])).toMatchObject({ contacts: [{ name: 'Bob', blocked: true }] });
  for (const text of ['one', 'two']) expect(await story.json(['send', 'Alice', text, '--wait', 'accepted', '--home', bob])).toMatchObject({ state: 'accepted' });
  // Others are heard over the connection that was made anew.
  const { link } = await story.json(['invite', '--home', alice]);
  const carol = story.home('carol');
  const { relays } = await story.json(['status', '--home', alice]) as { relays: Json[] };
  await story.json(['init', '--name', 'Carol', '--home', carol, '--relay', String(relays[0]!.url)]);
  await story.json(['accept', String(link), '--home', carol]);
  await story.json(['send', 'Alice', 'from Carol', '--home', carol]);
  await listening.line((line) => line.includes('"from Carol"'));
  expect(listening.texts()).toEqual(['before', 'from Carol']);
  const { code, json } = await story.run(['send', 'Bob', 'hello', '--json', '--home', alice]);
  expect([code, json]).toMatchObject([2, { error: { code: 'contact-blocked' } }]);

  // The sentence has a command that serves as it stands.
  const [, words = ''] = /"(?:npx )?sotto ([^"]+)"/.exec(String((json['error'] as Json)['message'])) ?? [];
  expect(await story.json(words.split(' '))).toMatchObject({ contact: { name: 'Bob' }, blocked: false });
  await listening.line((line) => line.includes('"two"'));
  expect(listening.texts()).toEqual(['before', 'from Carol', 'one', 'two']);
  await eventually(() => story.json(['history', 'Alice', '--home', bob]), ({ messages }) => (messages as Json[]).every(({ state }) => state === 'delivered'));
  await listening.kill('SIGTERM');
});

test('a contact is removed only by who means it, with all that was said, and hears nothing of it', async () => {
  const refused = await story.run(['contacts', 'remove', 'Bob', '--home', alice]);
  expect(refused).toMatchObject({ code: 2, out: '', err: expect.stringContaining('--yes') });
  const removed = await story.run(['contacts', '--home', alice, 'remove', 'Bob', '--yes']);
  expect(removed).toMatchObject({ code: 0, out: expect.stringContaining('Bob is removed.') });
  expect(await story.run(['history', 'Bob', '--json', '--home', alice])).toMatchObject({ code: 2, json: { error: { code: 'contact-unknown' } } });
  expect(await story.json(['contacts', '--home', alice])).toMatchObject({ contacts: [{ name: 'Carol' }] });
  expect((await story.run(['status', '--home', alice])).out).not.toContain('Bob');
  // On a busy machine the relay may not have been asked yet when the first of them gives up.
  const sent = await eventually(() => story.run(['send', 'Alice', 'hello?', '--timeout', '2', '--json', '--home', bob]), ({ json }) => json['reason'] === 'mailbox-unknown');
  expect(sent).toMatchObject({ code: 7, json: { state: 'queued' } });
});

test('who has removed a contact comes back by their address: they see it, approve, and every word arrives', async () => {
  const dora = story.home('dora');
  const { relays } = await story.json(['status', '--home', alice]) as { relays: Json[] };
  await story.json(['init', '--name', 'Dora', '--home', dora, '--relay', String(relays[0]!.url)]);
  const { link } = await story.json(['address', '--home', alice]);
  const ask = async (text: string) => {
    await story.json(['accept', String(link), '--home', dora]);
    await story.json(['send', 'Alice', text, '--home', dora]);
    return eventually(() => story.json(['requests', '--home', alice]), ({ requests }) => (requests as Json[]).length > 0);
  };
  const { requests: [stranger] } = await ask('It is Dora') as { requests: Json[] };
  expect(stranger).toMatchObject({ name: 'Dora', isContact: false });
  expect(await story.json(['approve', String(stranger!['id']), '--home', alice])).toMatchObject({ contact: { name: 'Dora' }, isBack: false });
  await story.json(['send', 'Alice', 'Thank you', '--wait', 'accepted', '--home', dora]);
  await story.json(['contacts', 'remove', 'Alice', '--yes', '--home', dora]);
  await ask('I am back');
  expect((await story.run(['requests', '--home', alice])).out).toMatch(/is your contact and asks to begin anew: I am back\n/);
  const { out } = await story.run(['approve', String(stranger!['id']), '--home', alice]);
  expect(out).toMatch(/^Dora is back: what you have with them goes on in a new session\. The safety number is the same\. Write with: .*chat Dora --home \S+$/);
  await eventually(() => story.json(['history', 'Alice', '--home', dora]), ({ messages }) => (messages as Json[]).every(({ state }) => state === 'delivered'));
  const texts = (await story.json(['history', 'Dora', '--home', alice]))['messages'] as Json[];
  expect(texts.map(({ text }) => text)).toEqual(['It is Dora', 'Thank you', 'I am back']);
  await story.json(['send', 'Dora', 'welcome', '--wait', 'accepted', '--home', alice]);
  expect(await story.json(['history', 'Alice', '--home', dora])).toMatchObject({ messages: [{ text: 'I am back' }, { text: 'welcome' }] });
});

test('who was removed and parts as well begins again by a new link, and every word arrives', async () => {
  const { link } = await story.json(['invite', '--home', alice]);
  expect(await story.run(['accept', String(link), '--json', '--home', bob])).toMatchObject({ code: 2, json: { error: { code: 'contact-exists', message: expect.stringContaining('contacts remove') } } });
  await story.json(['contacts', 'remove', 'Alice', '--yes', '--home', bob]);
  await story.json(['accept', String(link), '--home', bob]);
  await story.json(['send', 'Alice', 'once more', '--home', bob]);
  const messages = await eventually(() => story.json(['history', 'Bob', '--home', alice]), (answer) => (answer.messages as Json[]).length > 0);
  expect(messages).toMatchObject({ messages: [{ text: 'once more' }] });
});
