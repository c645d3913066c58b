import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changePassphrase, createKey, homeFiles, keyIsSealed, lockHome, prepareHome, readKey } from '../../client/home.js';
import { defaultHome } from '../../client/folder.js';
import type { ErrorCode } from '../../crypto/error.js';

let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-home-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit');
  rmSync(folder, { recursive: true });
});

const code = (expected: ErrorCode) => expect.objectContaining({ code: expected });

describe('the folder', () => {
  it('is open to its owner alone', () => {
    const home = join(folder, 'deep', 'home');
    prepareHome(home);
    expect(statSync(home).mode & 0o777).toBe(0o700);
  });

  it('closes an empty folder that others may read, and leaves one alone that holds other things', () => {
    chmodSync(folder, 0o755);
    prepareHome(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'letter.txt'), 'mine');
    expect(() => prepareHome(folder)).toThrow(code('option-invalid'));
    expect(statSync(folder).mode & 0o777).toBe(0o755);
  });

  it('is where the platform keeps data, unless the person says otherwise', () => {
    expect(defaultHome({ SOTTO_HOME: '/x' }, 'linux')).toBe('/x');
    expect(defaultHome({ XDG_DATA_HOME: '/data' }, 'linux')).toBe('/data/sotto');
    expect(defaultHome({}, 'darwin')).toMatch(/Library\/Application Support\/sotto$/);
  });
});

describe('the key', () => {
  const addStore = () => writeFileSync(homeFiles(folder).store, '');

  it('comes back as it was made, from a file that its owner alone may read', async () => {
    const key = await createKey(folder, null);
    addStore();
    expect(key).toHaveLength(32);
    expect(await readKey(folder, null)).toEqual(key);
    expect(keyIsSealed(folder)).toBe(false);
    expect(statSync(homeFiles(folder).key).mode & 0o777).toBe(0o600);
  });

  it('opens with its passphrase and with no other', async () => {
    const key = await createKey(folder, 'correct horse');
    addStore();
    expect(keyIsSealed(folder)).toBe(true);
    expect(readFileSync(homeFiles(folder).key, 'utf8')).not.toContain(Buffer.from(key).toString('base64'));
    expect(await readKey(folder, 'correct horse')).toEqual(key);
    await expect(readKey(folder, 'wrong horse')).rejects.toThrow(code('passphrase-wrong'));
    await expect(readKey(folder, null)).rejects.toThrow(code('passphrase-required'));
  });

  it('gets, changes and loses its passphrase, and stays the same', async () => {
    const key = await createKey(folder, null);
    addStore();
    for (const [current, next] of [[null, 'first'], ['first', 'second'], ['second', null]] as const) {
      await changePassphrase(folder, current, next);
      expect(keyIsSealed(folder)).toBe(next !== null);
      expect(await readKey(folder, next)).toEqual(key);
    }
    await changePassphrase(folder, null, 'third');
    const file = readFileSync(homeFiles(folder).key);
    await expect(changePassphrase(folder, 'wrong', 'fourth')).rejects.toThrow(code('passphrase-wrong'));
    await expect(changePassphrase(folder, null, 'fourth')).rejects.toThrow(code('passphrase-required'));
    expect(readFileSync(homeFiles(folder).key)).toEqual(file);
    expect(statSync(homeFiles(folder).key).mode & 0o777).toBe(0o600);
  });

  it('is read from files of version 1, and from any slot of several', async () => {
    addStore();
    const write = (file: unknown) => writeFileSync(homeFiles(folder).key, JSON.stringify(file));
    const key = Buffer.alloc(32, 9).toString('base64');
    write({ version: 1, key });
    expect(await readKey(folder, null)).toEqual(new Uint8Array(32).fill(9));
    await changePassphrase(folder, null, 'one');
    const { slots: [one] } = JSON.parse(readFileSync(homeFiles(folder).key, 'utf8')) as { slots: object[] };
    write({ version: 1, ...one });
    expect(await readKey(folder, 'one')).toEqual(new Uint8Array(32).fill(9));
    await changePassphrase(folder, 'one', 'two');
    const { slots: [two] } = JSON.parse(readFileSync(homeFiles(folder).key, 'utf8')) as { slots: object[] };
    write({ version: 2, slots: [one, two] });
    expect(await readKey(folder, 'two')).toEqual(new Uint8Array(32).fill(9));
    write({ version: 2, slots: [one, { key }] });
    expect(keyIsSealed(folder)).toBe(false);
  });

  it('leaves none of the memory behind that a passphrase took', async () => {
    await createKey(folder, 'once');
    addStore();
    const before = process.memoryUsage().arrayBuffers;
    await readKey(folder, 'once');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
  });

  it('is missing where nobody has made a home, and damaged where its file does not read as ours', async () => {
    await expect(readKey(folder, null)).rejects.toThrow(code('home-missing'));
    addStore();
    for (const text of ['', '{}', '{"version":2}', '{"version":1,"key":"AAAA"}', '{"version":1,"cost":{"passes":1,"memoryBytes":1e12},"salt":"AAAAAAAAAAAAAAAAAAAAAA==","sealed":"AA=="}']) {
      writeFileSync(homeFiles(folder).key, text);
      await expect(readKey(folder, 'x')).rejects.toThrow(code('store-damaged'));
    }
  });

  it('is never made anew beside a store, but is after an interrupted init', async () => {
    const first = await createKey(folder, null);
    const second = await createKey(folder, null);
    expect(second).not.toEqual(first);
    addStore();
    await expect(createKey(folder, null)).rejects.toThrow(code('home-exists'));
    rmSync(homeFiles(folder).key);
    await expect(createKey(folder, null)).rejects.toThrow(/key file is missing/);
  });
});

describe('the lock', () => {
  const start = (...count: string[]) => {
    const child = fork(join(import.meta.dirname, '../support/lock-holder.ts'), [folder, ...count], { execArgv: ['--import', 'tsx'] });
    children.push(child);
    return { child, answer: once(child, 'message').then(([answer]) => answer as unknown) };
  };

  it('is held by one at a time and free after it is let go', () => {
    const unlock = lockHome(folder);
    expect(() => lockHome(folder)).toThrow(code('home-in-use'));
    unlock();
    lockHome(folder)();
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('is of one name: a listener does not keep the home from being opened', () => {
    lockHome(folder, 'listen');
    lockHome(folder);
    expect(() => lockHome(folder, 'listen')).toThrow(code('home-in-use'));
  });

  it('passes at once from a process that was killed', async () => {
    const { child, answer } = start();
    expect(await answer).toBe('held');
    expect(() => lockHome(folder)).toThrow(code('home-in-use'));
    child.kill('SIGKILL');
    await once(child, 'exit');
    lockHome(folder)();
  });

  it('is not held by a later process that was given the same id', () => {
    writeFileSync(join(folder, 'lock.7'), `${process.pid} another-boot/123`);
    lockHome(folder);
    expect(existsSync(join(folder, 'lock.8'))).toBe(true);
    expect(existsSync(join(folder, 'lock.7'))).toBe(false);
  });

  it('goes to exactly one of those who race for it, also over a dead owner', async () => {
    writeFileSync(join(folder, 'lock.1'), '999999999 -');
    const answers = await Promise.all([start(), start(), start(), start()].map(({ answer }) => answer));
    expect(answers.toSorted()).toEqual(['held', 'refused', 'refused', 'refused']);
  });

  it('never lets two in at once, however they take it from each other', async () => {
    const together = await Promise.all(['400', '400', '400', '400'].map((count) => start(count).answer));
    expect(together).toEqual([0, 0, 0, 0]);
  });
});
