// A home is lost and comes back: out of a backup, or as an old copy that is put back. The contact is told, and both talk on.

import { cpSync, rmSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, type Connection } from '../../client/cli/rpc.js';
import { socketPath } from '../../client/cli/socket.js';
import { Story, eventually } from '../support/command.js';
import type { Json, Running } from '../support/command.js';
import { freePort } from '../support/port.js';

let story: Story;
let port: number;
let alice: string;
let bob: string;

beforeEach(async () => {
  story = new Story();
  port = await freePort();
  await story.relay(port);
  ({ alice, bob } = await story.acquaint(port));
});
afterEach(() => story.end());

const listen = (home: string): Running => story.start(['listen', '--json', '--home', home]);

/** Sends by the process that has the home open, and waits until the contact has it. */
async function say(home: string, contact: string, text: string): Promise<void> {
  const { client } = await eventually(() => connect(socketPath(home)), (connection) => connection !== null) as Connection;
  expect(await client.send(contact, text, { wait: 'delivered', timeoutMs: 60_000 })).toMatchObject({ state: 'delivered' });
  await client.close();
}

/** Makes the backup while the home is open or not, and answers its words. */
async function backup(home: string, file: string): Promise<string> {
  const { words } = await story.json(['backup', file, '--home', home]);
  expect(String(words).split(' ')).toHaveLength(24);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  return String(words);
}

async function restore(home: string, file: string, words: string): Promise<Json> {
  const { code, json, err } = await story.start(['restore', file, '--home', home, '--json'], { SOTTO_RECOVERY_KEY: words }).finished();
  expect([code, err]).toEqual([0, '']);
  return json;
}

const number = async (home: string, contact: string): Promise<unknown> => (await story.json(['verify', contact, '--home', home]))['number'];

/** All messages of a conversation, as text with direction and state. */
async function history(home: string, contact: string): Promise<string[]> {
  const { messages } = await story.json(['history', contact, '--limit', '1000', '--home', home]);
  return (messages as Json[]).map(({ direction, text, state }) => `${String(direction)} ${String(text)} ${String(state)}`);
}

function noticed(running: Running, code: string): Promise<string> {
  return running.line((line) => line.includes(`"code":"${code}"`));
}

describe('a home that is lost', () => {
  it('comes back out of its backup: both talk on, nothing is doubled, the contact is told, and the safety number is the same', async () => {
    let atAlice = listen(alice);
    const atBob = listen(bob);
    await say(alice, 'Bob', 'one');
    await say(bob, 'Alice', 'two');
    const before = await number(alice, 'Bob');
    const file = story.home('alice.backup');
    const words = await backup(alice, file);
    for (const turn of [3, 4, 5]) {
      await say(alice, 'Bob', `since ${turn}`);
      await say(bob, 'Alice', `answer ${turn}`);
    }
    await atAlice.kill();
    // Who cannot be asked is told by which variable to answer, and nobody is asked in vain.
    expect(await story.run(['restore', file, '--json', '--home', alice])).toMatchObject({ code: 2, json: { error: { code: 'home-exists' } } });
    rmSync(alice, { recursive: true });
    expect(await story.run(['restore', file, '--json', '--home', alice])).toMatchObject({ code: 2, json: { error: { code: 'passphrase-required', message: expect.stringContaining('SOTTO_RECOVERY_KEY') } } });

    expect(await restore(alice, file, words)).toMatchObject({ name: 'Alice', contacts: 1, messages: 2 });
    atAlice = listen(alice);
    await noticed(atBob, 'restored');
    await say(alice, 'Bob', 'back again');
    await say(bob, 'Alice', 'welcome');
    await Promise.all([atAlice.line((line) => line.includes('welcome')), atBob.line((line) => line.includes('back again'))]);
    expect(atAlice.texts()).toEqual(['welcome']);
    expect(atBob.texts()).toEqual(['one', 'since 3', 'since 4', 'since 5', 'back again']);
    expect([await number(alice, 'Bob'), await number(bob, 'Alice')]).toEqual([before, before]);
    expect(await history(alice, 'Bob')).toEqual(['out one delivered', 'in two received', 'out back again delivered', 'in welcome received']);
    expect((await history(bob, 'Alice')).filter((line) => line.startsWith('out')).every((line) => line.endsWith('delivered'))).toBe(true);
  });

  it('comes back while the contact is away: both find what the other wrote meanwhile', async () => {
    const atBob = listen(bob);
    const send = async (home: string, text: string, state: string) => expect(await story.json(['send', 'Bob', text, '--wait', state, '--home', home])).toMatchObject({ state });
    await send(alice, 'one', 'delivered');
    const file = story.home('alice.backup');
    const words = await backup(alice, file);
    await send(alice, 'two', 'delivered');
    await atBob.kill();
    expect(await story.json(['send', 'Alice', 'never collected', '--home', bob])).toMatchObject({ state: 'accepted' });
    rmSync(alice, { recursive: true });

    await restore(alice, file, words);
    await send(alice, 'are you there?', 'queued');
    const again = listen(bob);
    const atAlice = listen(alice);
    await noticed(again, 'restored');
    await again.line((line) => line.includes('are you there?'));
    await atAlice.line((line) => line.includes('never collected'));
    expect(again.texts()).toEqual(['are you there?']);
    expect(atAlice.texts()).toEqual(['never collected']);
    await eventually(() => history(alice, 'Bob'), (lines) => lines.includes('out are you there? delivered'));
    await say(bob, 'Alice', 'I am');
  });

  it('is told truly by the contact that has begun the new session, before it is answered', async () => {
    const atBob = listen(bob);
    await story.json(['send', 'Bob', 'one', '--wait', 'delivered', '--home', alice]);
    await atBob.kill();
    const file = story.home('alice.backup');
    const words = await backup(alice, file);
    rmSync(alice, { recursive: true });
    await restore(alice, file, words);
    const why = async () => {
      await story.json(['status', '--home', alice]);
      const { contacts } = await story.json(['status', '--home', bob]) as { contacts: Json[] };
      return String(contacts[0]!['why']);
    };
    expect(await eventually(why, (said) => /session|accepted/.test(said))).toBe('a new session with this contact begins as soon as they answer');
  });

  it('is found by its address again: by those who have the printed link, and by those who waited when the backup was made', async () => {
    const { link } = await story.json(['address', '--home', alice]);
    const ask = async (name: string): Promise<string> => {
      const home = story.home(name.toLowerCase());
      await story.json(['init', '--name', name, '--home', home, '--relay', `http://127.0.0.1:${port}`]);
      await story.json(['accept', String(link), '--home', home]);
      return home;
    };
    const write = async (home: string, text: string) => expect(await story.json(['send', 'Alice', text, '--wait', 'accepted', '--home', home])).toMatchObject({ state: 'accepted' });
    const carol = await ask('Carol');
    await write(carol, 'before');
    const before = listen(alice);
    await before.line((line) => line.includes('"request"') && line.includes('before'));
    const file = story.home('alice.backup');
    const words = await backup(alice, file);
    await before.kill();
    rmSync(alice, { recursive: true });

    expect(await restore(alice, file, words)).toMatchObject({ address: link });
    const after = listen(alice);
    await write(await ask('Dave'), 'by the printed link');
    await write(carol, 'again');
    await after.line((line) => line.includes('"request"') && line.includes('by the printed link'));
    await after.line((line) => line.includes('"request"') && line.includes('again'));
    const { requests } = await story.json(['requests', '--home', alice]);
    for (const { id } of requests as Json[]) await story.json(['approve', String(id), '--home', alice]);
    // What the backup did not know is asked for on approval.
    listen(carol);
    for (const text of ['before', 'again']) await after.line((line) => line.includes('"message"') && line.includes(text));
    expect(after.texts().toSorted()).toEqual(['again', 'before', 'by the printed link']);
  });

  it('comes from no other key, no other file and over no other home', async () => {
    const file = story.home('alice.backup');
    const words = await backup(alice, file);
    const refused = async (args: readonly string[], env: NodeJS.ProcessEnv = {}) => ((await story.start([...args, '--json'], env).finished()).json['error'] as Json)['code'];
    const nowhere = story.home('nowhere');
    expect(await refused(['backup', file, '--home', alice])).toBe('file-exists');
    expect(await refused(['restore', file, '--home', alice], { SOTTO_RECOVERY_KEY: words })).toBe('home-exists');
    expect(await refused(['restore', file, '--home', nowhere], { SOTTO_RECOVERY_KEY: words.split(' ').toReversed().join(' ') })).toBe('recovery-key-invalid');
    expect(await refused(['restore', file, '--home', nowhere], { SOTTO_RECOVERY_KEY: `${'abandon '.repeat(23)}art` })).toBe('backup-key-wrong');
    expect(await refused(['restore', `${alice}/key`, '--home', nowhere], { SOTTO_RECOVERY_KEY: words })).toBe('backup-invalid');
    expect(await refused(['restore', story.home('absent'), '--home', nowhere], { SOTTO_RECOVERY_KEY: words })).toBe('file-failed');
    expect(await refused(['contacts', '--home', nowhere])).toBe('home-missing');
  });

  it('opens with a passphrase where that was wanted', async () => {
    const file = story.home('alice.backup');
    const written = await story.start(['backup', file, '--passphrase', '--home', alice, '--json'], { SOTTO_BACKUP_PASSPHRASE: 'correct horse' }).finished();
    expect(written.json).toMatchObject({ words: null });
    const other = story.home('other');
    const { json } = await story.start(['restore', file, '--home', other, '--json'], { SOTTO_BACKUP_PASSPHRASE: 'correct horse' }).finished();
    expect(json).toMatchObject({ name: 'Alice', contacts: 1 });
  });
});

describe('an old copy of a home that is put back', () => {
  it('heals by itself, and loses and doubles nothing that is written from then on', async () => {
    const atBob = listen(bob);
    let atAlice = listen(alice);
    await say(alice, 'Bob', 'one');
    await say(bob, 'Alice', 'two');
    await atAlice.kill('SIGTERM');
    const copy = story.home('copy');
    cpSync(alice, copy, { recursive: true });
    atAlice = listen(alice);
    for (const turn of [3, 4, 5, 6, 7, 8, 9]) {
      await say(alice, 'Bob', `since ${turn}`);
      await say(bob, 'Alice', `answer ${turn}`);
    }
    await atAlice.kill('SIGTERM');
    rmSync(alice, { recursive: true });
    cpSync(copy, alice, { recursive: true });

    atAlice = listen(alice);
    expect(await story.json(['send', 'Bob', 'from the copy', '--wait', 'delivered', '--timeout', '60', '--home', alice])).toMatchObject({ state: 'delivered' });
    await noticed(atAlice, 'rolled-back');
    await noticed(atBob, 'session-reset');
    await say(bob, 'Alice', 'to the copy');
    await Promise.all([atAlice.line((line) => line.includes('to the copy')), atBob.line((line) => line.includes('from the copy'))]);
    expect(atBob.texts()).toEqual(['one', ...[3, 4, 5, 6, 7, 8, 9].map((turn) => `since ${turn}`), 'from the copy']);
    expect(atAlice.texts()).toEqual(['to the copy']);
    expect(await history(alice, 'Bob')).toEqual(['out one delivered', 'in two received', 'out from the copy delivered', 'in to the copy received']);
  });
});
