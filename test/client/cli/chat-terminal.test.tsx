import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { serve, type Served } from '../../../client/cli/rpc.js';
import { createKey, homeFiles } from '../../../client/home.js';
import { BOB, MemoryClient } from '../../support/memory-client.js';

const PATIENCE_MS = 60_000;
const COMMAND = `stty rows 24 cols 80; tty; sh -c 'echo pid $$; exec "$@"' sh '${process.execPath}' '${join(import.meta.dirname, '../../../dist/bin/sotto.js')}' chat Bob; echo "code $?"; stty -a`;
/** What takes a terminal: its second screen. */
const TAKEN = '\u001b[?1049h';
/** Lets a process throw what nobody catches when it is sent a signal. */
const FAILING = `--import data:text/javascript;base64,${btoa("process.on('SIGUSR2', () => { throw new Error('nobody foresaw this'); })")}`;
/** What gives a terminal back: pastes without marks, long lines wrapped, the first screen. */
const GIVEN_BACK = '\u001b[?2004l\u001b[?7h\u001b[?1049l';

// util-linux's script gives a command a terminal of its own.
const hasTerminals = spawnSync('script', ['--version']).stdout?.includes('util-linux') ?? false;

describe.skipIf(!hasTerminals)('a conversation on a real terminal', () => {
  let client: MemoryClient;
  let home: string;
  let served: Served;
  let child: ChildProcess;
  let shown: string;

  beforeEach(async () => {
    client = new MemoryClient();
    home = mkdtempSync(join(tmpdir(), 'sotto-terminal-'));
    await createKey(home, null);
    writeFileSync(homeFiles(home).store, '');
    served = await serve(client, homeFiles(home).socket);
    child = spawn('script', ['-qfec', COMMAND, '/dev/null'], { env: { ...process.env, SOTTO_HOME: home, SHELL: '/bin/sh', NODE_OPTIONS: FAILING } });
    shown = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (shown += text));
    await shows('Say hello');
  });

  afterEach(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit');
    await served.close();
    rmSync(home, { recursive: true });
  });

  const type = (keys: string) => void child.stdin?.write(keys);
  const shows = (text: string) => vi.waitFor(() => expect(shown).toContain(text), PATIENCE_MS);
  const command = () => {
    const [, tty = '', pid = ''] = /(\/dev\/\S+)\r\npid (\d+)/.exec(shown) ?? [];
    return { tty, pid: Number(pid) };
  };
  /** What came after the terminal was given back. */
  const after = async () => {
    await vi.waitFor(() => expect(shown).toMatch(/code \d+\r\n[^]*\n.*echo/), PATIENCE_MS);
    return shown.slice(shown.indexOf(GIVEN_BACK));
  };

  it('takes keys and pastes, and gives the terminal back as it was', async () => {
    type('hellp\u007fo \u001b[200~a\u001bb\rc\u001b[201~\r');
    await vi.waitFor(() => expect(client.messages.map(({ text }) => text)).toEqual(['hello ab\nc']), PATIENCE_MS);
    type('\u0003');
    expect(await after()).toMatch(/^[^ ]+code 0\r\n[^]* icanon [^]* echo /);
  });

  it('sends nothing of a paste without marks that comes in several readings, before Enter', async () => {
    // A terminal's buffer holds 4,096 bytes, so these are many readings.
    const lines = Array.from({ length: 10_000 }, () => 'x\r');
    type(`${lines.join('')}finis`);
    await shows('finis');
    await vi.waitFor(() => {
      type('\r');
      expect(client.messages).toHaveLength(1);
    }, { timeout: PATIENCE_MS, interval: 500 });
    expect(client.messages[0]!.text).toBe(`${lines.join('').replaceAll('\r', '\n')}finis`);
  });

  it('shows the first of two warnings until it was read, and then the second', async () => {
    await vi.waitFor(() => expect(client.listeners.size).toBe(1), PATIENCE_MS);
    for (const text of ['Missing messages.', 'Somebody stood between.']) client.tell({ type: 'notice', contact: BOB, code: 'gap', text });
    await shows('Missing messages.');
    await shows('Enter shows one more');
    expect(shown).not.toContain('Somebody');
    type('\r');
    await shows('Somebody stood between.');
    type('\u0003');
    expect(await after()).toMatch(/^[^ ]+code 0/);
  });

  it('takes the terminal again when it goes on after a stop', async () => {
    const { tty, pid } = command();
    const modes = (...changed: string[]) => spawnSync('stty', ['-F', tty, ...changed]).stdout.toString();
    process.kill(pid, 'SIGSTOP');
    // As a shell does.
    modes('sane');
    expect(modes('-a')).toMatch(/ icanon /);
    const before = shown.length;
    process.kill(pid, 'SIGCONT');
    await vi.waitFor(() => expect(shown.slice(before)).toMatch(/1049h[^]*Bob[^]*Say hello/), PATIENCE_MS);
    expect(shown.slice(before)).toContain(TAKEN);
    expect(modes('-a')).toMatch(/ -icanon /);
    type('\u0003');
    expect(await after()).toMatch(/^[^ ]+code 0\r\n[^]* icanon /);
  });

  it.each([['store-damaged', 6], ['internal', 1]])('ends with a sentence and a code of its own when nothing goes on (%s)', async (code, exit) => {
    await vi.waitFor(() => expect(client.listeners.size).toBe(1), PATIENCE_MS);
    client.tell({ type: 'notice', contact: null, code, text: 'What it is.' });
    expect(await after()).toMatch(new RegExp(`^[^ ]+sotto: What it is\\.\r\ncode ${exit}\r\n`));
  });

  it('gives the terminal back before it says what nobody foresaw', async () => {
    process.kill(command().pid, 'SIGUSR2');
    expect(await after()).toMatch(/^[^ ]+sotto: Something went wrong inside Sotto \(nobody foresaw this\); please report it with what you did\.\r\ncode 1\r\n[^]* icanon [^]* echo /);
  });

  it('ends with a sentence and the code of the disk when the store fails', async () => {
    await vi.waitFor(() => expect(client.listeners.size).toBe(1), PATIENCE_MS);
    client.tell({ type: 'notice', contact: null, code: 'store-failed', text: 'The disk is full.' });
    expect(await after()).toMatch(/^[^ ]+sotto: The disk is full\. What was typed last may not be kept; "[^"]*sotto history Bob[^"]*" shows what is\.\r\ncode 6\r\n[^]* icanon [^]* echo /);
  });
});
