import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openCursor } from '../../../client/cli/cursor.js';
import { programWord } from '../../../client/cli/hint.js';
import { show } from '../../../client/cli/listen.js';
import { BOB, CAROL, MemoryClient } from '../../support/memory-client.js';

/** Generous bound on anything that is waited for. */
const PATIENCE_MS = 60_000;

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-cursor-'));
  path = join(folder, 'shown');
});

afterEach(() => rmSync(folder, { recursive: true }));

const never = new Promise<never>(() => {});

/** Listens until `count` messages are shown, or the writing fails, and gives the lines. */
async function listen(client: MemoryClient, count: number, write?: (line: string) => void): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = [];
  const cursor = openCursor(path);
  let stop: (() => void) | undefined;
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  await show({ client, gone: never }, cursor, { json: true }, stopped, async (line) => {
    write?.(line);
    lines.push(JSON.parse(line));
    if (lines.filter(({ type }) => type === 'message').length === count) stop?.();
  }).finally(() => cursor.close());
  return lines;
}

const texts = (lines: Record<string, unknown>[]) => lines.map(({ text }) => text);

describe('the cursor', () => {
  it('starts at nothing, in a file of its owner alone', () => {
    const cursor = openCursor(path);
    expect([cursor.done, cursor.doubtful]).toEqual([0, 0]);
    cursor.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('remembers what was shown, and what may have been', () => {
    const first = openCursor(path);
    first.intend(7);
    first.finish(7);
    first.intend(9);
    first.close();
    const second = openCursor(path);
    expect([second.done, second.doubtful]).toEqual([7, 9]);
    second.finish(9);
    second.close();
    const third = openCursor(path);
    expect([third.done, third.doubtful]).toEqual([9, 0]);
    third.close();
  });

  it('says that a damaged file is damaged', () => {
    for (const text of ['x', '0000000000000001 000000000000000', '0000000000000001 0000000000000001\nmore']) {
      writeFileSync(path, text);
      expect(() => openCursor(path)).toThrow(expect.objectContaining({ code: 'store-damaged' }));
    }
  });
});

/** Ends the listener in the middle of showing the second message. */
const die = (line: string) => {
  if (line.includes('two')) throw new Error('killed');
};

describe('a listener', () => {
  it('shows what came before it and what comes after, in order, each once', async () => {
    const client = new MemoryClient();
    for (let i = 1; i <= 250; i++) client.receive(BOB, `${i}`);
    const listening = listen(client, 252);
    client.receive(BOB, '251');
    await vi.waitFor(() => expect(client.listeners.size).toBe(1), PATIENCE_MS);
    client.receive(BOB, '252');
    expect(texts(await listening)).toEqual(Array.from({ length: 252 }, (_, i) => `${i + 1}`));
  });

  it('goes on where the last one ended', async () => {
    const client = new MemoryClient();
    client.receive(BOB, 'one');
    expect(texts(await listen(client, 1))).toEqual(['one']);
    client.receive(BOB, 'two');
    expect(await listen(client, 1)).toEqual([
      { type: 'message', id: '2'.padStart(32, '0'), contact: BOB, text: 'two', sentAt: expect.any(Number), receivedAt: expect.any(Number), path: 'relay' },
    ]);
  });

  it('shows a message again, and says so, if it was killed while showing it', async () => {
    const client = new MemoryClient();
    client.receive(BOB, 'one');
    client.receive(BOB, 'two');
    client.receive(BOB, 'three');
    await expect(listen(client, 3, die)).rejects.toThrow('killed');
    const lines = await listen(client, 2);
    expect(texts(lines)).toEqual(['two', 'three']);
    expect(lines.map(({ again }) => again)).toEqual([true, undefined]);
  });

  it('says so to a person as well', async () => {
    const client = new MemoryClient();
    const cursor = openCursor(path);
    for (const text of ['one', 'two']) client.receive(BOB, text);
    cursor.intend(1);
    cursor.close();
    const again = openCursor(path);
    const lines: string[] = [];
    let stop: (() => void) | undefined;
    const stopped = new Promise<void>((resolve) => (stop = resolve));
    const showing = show({ client, gone: never }, again, { home: '/bob' }, stopped, async (line) => void lines.push(line));
    await vi.waitFor(() => expect(lines).toHaveLength(2), PATIENCE_MS);
    stop?.();
    await showing;
    again.close();
    expect(lines).toEqual([expect.stringMatching(/Bob: one {2}\[perhaps shown before\]$/), expect.stringMatching(/Bob: two$/)]);
  });

  it('shows what happens beside the messages as its own kind of line', async () => {
    const client = new MemoryClient();
    const listening = listen(client, 1);
    await vi.waitFor(() => expect(client.listeners.size).toBe(1), PATIENCE_MS);
    client.tell({ type: 'contact', contact: BOB });
    client.tell({ type: 'relay', relay: client.relay });
    client.tell({ type: 'notice', contact: null, code: 'gap', text: 'Messages are missing.' });
    const message = await client.send('Bob', 'hi');
    client.tell({ type: 'state', message: { ...message, state: 'delivered', path: 'direct' } });
    client.receive(BOB, 'bye');
    expect(await listening).toMatchObject([
      { type: 'contact', contact: BOB },
      { type: 'relay', relay: { online: true } },
      { type: 'notice', code: 'gap' },
      { type: 'state', id: message.id, contact: BOB, state: 'delivered', path: 'direct', reason: null },
      { type: 'message', text: 'bye' },
    ]);
  });

  it('says at its start what is wrong with a relay, in words, and for programs the cause too', async () => {
    const client = new MemoryClient();
    client.relay = { ...client.relay, online: false, rttMs: null, reason: 'nothing listens there', cause: 'connect ECONNREFUSED 127.0.0.1:8080' };
    const listening = listen(client, 1);
    setTimeout(() => client.receive(BOB, 'hello'));
    expect(await listening).toMatchObject([{ type: 'relay', relay: client.relay }, { type: 'message', text: 'hello' }]);
  });

  it.each(['store-failed', 'store-damaged', 'internal'])('ends where nothing more will come (%s)', async (code) => {
    const client = new MemoryClient();
    const listening = listen(client, 1);
    await vi.waitFor(() => expect(client.listeners.size).toBe(1), PATIENCE_MS);
    setTimeout(() => client.tell({ type: 'notice', contact: null, code, text: 'What it is.' }));
    await expect(listening).rejects.toMatchObject({ code, message: 'What it is.' });
  });

  it('tells a person the time of everything, and of a path only when it has settled', async () => {
    const client = new MemoryClient();
    const cursor = openCursor(path);
    const lines: string[] = [];
    let stop: (() => void) | undefined;
    const stopped = new Promise<void>((resolve) => (stop = resolve));
    const showing = show({ client, gone: never }, cursor, { home: '/bob' }, stopped, async (line) => void lines.push(line));
    await vi.waitFor(() => expect(client.listeners.size).toBe(1), PATIENCE_MS);
    const tellPath = (where: 'direct' | 'relay', who = BOB) => client.tell({ type: 'path', contact: { ...client.contactStatus(who), path: where, why: `why ${where}` } });
    const paths = () => lines.filter((line) => line.includes('why'));
    for (let i = 0; i < 20; i++) tellPath(i % 2 === 0 ? 'relay' : 'direct');
    await vi.waitFor(() => expect(paths()).toHaveLength(1), PATIENCE_MS);
    tellPath('relay');
    tellPath('direct');
    client.tell({ type: 'contact', contact: CAROL });
    client.tell({ type: 'notice', contact: null, code: 'requests-full', text: 'Look at "sotto requests".' });
    client.receive(CAROL, 'hello');
    const message = await client.send('Bob', 'hi');
    client.tell({ type: 'state', message: { ...message, state: 'queued' } });
    client.tell({ type: 'state', message: { ...message, state: 'delivered' } });
    tellPath('relay', CAROL);
    await vi.waitFor(() => expect(paths().at(-1)).toContain('Carol'), PATIENCE_MS);
    tellPath('relay');
    await vi.waitFor(() => expect(paths().at(-1)).toContain('Bob: by the relay'), PATIENCE_MS);
    stop?.();
    await showing.finally(() => cursor.close());
    expect(lines.map((line) => line.replace(/^\d\d:\d\d {2}/, ''))).toEqual([
      '* Bob: direct: why direct', '* Carol is your contact now', `* Look at "${programWord()} requests --home /bob".`, 'Carol: hello', '* to Bob: delivered', '* Carol: by the relay: why relay', '* Bob: by the relay: why relay',
    ]);
    for (const line of lines) expect(line).toMatch(/^\d\d:\d\d {2}/);
  });
});
