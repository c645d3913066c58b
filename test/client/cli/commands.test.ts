import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey, homeFiles } from '../../../client/home.js';
import { exitCodeOf } from '../../../client/cli/exit.js';
import { serve, type Served } from '../../../client/cli/rpc.js';
import { ERRORS } from '../../../crypto/error.js';
import { BOB, MemoryClient } from '../../support/memory-client.js';

const client = new MemoryClient();
let home: string;
let served: Served;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'sotto-commands-'));
  await createKey(home, null);
  writeFileSync(homeFiles(home).store, '');
  served = await serve(client, homeFiles(home).socket);
});

afterAll(async () => {
  await served.close();
  rmSync(home, { recursive: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as its own process, with something on its standard input. */
function sotto(args: readonly string[], input = '', at = home): Promise<Ended> {
  return new Promise((resolve) => {
    const script = join(import.meta.dirname, '../../support/sotto.ts');
    const env = { ...process.env, SOTTO_HOME: at, SOTTO_PASSPHRASE: '' };
    const child = execFile(process.execPath, ['--import', 'tsx', script, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

describe('a command', () => {
  it('sends a text from its argument or its input, and says how far it came', async () => {
    const [plain, json, piped] = await Promise.all([
      sotto(['send', 'Bob', 'hello']), sotto(['send', 'Bob', 'hello', '--json']), sotto(['send', 'Bob', '-', '--json'], 'two\nlines\n'),
    ]);
    expect(plain).toEqual({ code: 0, stdout: 'sent\n', stderr: '' });
    expect(JSON.parse(json.stdout)).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/), state: 'accepted', path: 'relay', reason: null });
    expect(piped.code).toBe(0);
    expect(client.messages.map(({ text }) => text)).toContain('two\nlines');
  });

  it('ends with 7 and the truth when the wanted state is not reached', async () => {
    const [plain, json] = await Promise.all([sotto(['send', 'Bob', 'x', '--wait', 'read', '--timeout', '0']), sotto(['send', 'Bob', 'x', '--wait', 'read', '--timeout', '0', '--json'])]);
    expect(plain).toMatchObject({ code: 7, stdout: '', stderr: expect.stringContaining('waits sealed at the relay until Bob comes online') });
    expect(json).toMatchObject({ code: 7, stderr: '' });
    expect(JSON.parse(json.stdout)).toMatchObject({ state: 'accepted' });
  });

  it('ends with 2 when it was given what it cannot take, and says so in the wanted form', async () => {
    const wrong = [
      ['send', 'Bob'], ['send', 'Bob', 'x', '--wait', 'soon'], ['send', 'Bob', 'x', '--timeout', 'long'], ['send', 'Nobody', 'x'],
      ['history', 'Bob', '--limit', '0'], ['policy', 'Bob', 'open'], ['accept', 'nonsense'], ['contacts', '--nonsense'], ['chat', 'Bob'],
    ];
    for (const ended of await Promise.all(wrong.slice(0, 5).map((args) => sotto(args)))) {
      expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^sotto: [A-Z"-].*\.\n$/) });
    }
    for (const ended of await Promise.all(wrong.slice(5).map((args) => sotto([...args, '--json'])))) {
      expect(ended).toMatchObject({ code: 2, stderr: '' });
      expect(JSON.parse(ended.stdout)).toEqual({ error: { code: expect.any(String), message: expect.any(String) } });
    }
  });

  it('shows the address, and who waits for approval', async () => {
    const [shown, replaced, closed, both, list, plain] = await Promise.all(
      [['address', '--json'], ['address', '--new', '--json'], ['address', '--close', '--json'], ['address', '--new', '--close'], ['requests', '--json'], ['requests']].map((args) => sotto(args)));
    expect([shown, replaced, closed].map((ended) => JSON.parse(ended!.stdout))).toEqual([{ link: 'sotto://address' }, { link: 'sotto://new' }, { link: null }]);
    expect(both).toMatchObject({ code: 2, stdout: '' });
    expect(JSON.parse(list!.stdout)).toEqual({ requests: client.waiting });
    expect(plain!.stdout).toMatch(/^cacacaca {2}Carol asks to be your contact, .*: It is me {2}\(and 1 more\)\n/);
  });

  it('approves and refuses by the id alone, and says whom', async () => {
    const [before] = client.waiting;
    expect(await sotto(['approve', 'Carol'])).toMatchObject({ code: 2, stderr: expect.stringContaining('sotto requests') });
    expect(await sotto(['refuse'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') });
    const { stdout } = await sotto(['approve', 'caca', '--json']);
    expect(JSON.parse(stdout)).toEqual({ contact: { id: before!.id, name: 'Carol' } });
    client.waiting = [before!, { ...before!, id: 'cb'.repeat(32) }];
    expect(JSON.parse((await sotto(['refuse', '--all', '--json'])).stdout)).toEqual({ refused: 2 });
    expect(client.waiting).toEqual([]);
    client.waiting = [before!];
  });

  it('needs a home', async () => {
    const { code, stdout } = await sotto(['contacts', '--json'], '', join(home, 'nowhere'));
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'home-missing' } });
  });

  it('writes JSON of the shapes that programs rely on', async () => {
    const [invite, accept, contacts, verify, status, history] = await Promise.all(
      [['invite'], ['accept', 'sotto://invitation'], ['contacts'], ['verify', 'Bob'], ['status'], ['history', 'Bob', '--limit', '1']]
        .map(async (args) => JSON.parse((await sotto([...args, '--json'])).stdout)));
    expect(invite).toEqual({ link: 'sotto://invitation', expiresAt: expect.any(Number) });
    expect(accept).toEqual({ contact: BOB });
    expect(contacts).toEqual({ contacts: [BOB] });
    expect(verify).toEqual({ contact: BOB, number: '12345'.repeat(12) });
    expect(status).toMatchObject({ identity: { name: 'Alice' }, relays: [{ online: true }], contacts: [BOB] });
    expect(history.messages).toHaveLength(1);
  });

  it('lists its exit codes in its help', async () => {
    const { code, stdout } = await sotto(['--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Exit codes:[^]*7 {2}the message did not reach/);
  });
});

describe('the exit code', () => {
  it('says whose fault an error is', () => {
    expect(Object.keys(ERRORS).filter((code) => exitCodeOf(code) === 0)).toEqual([]);
    expect(['internal', 'name-invalid', 'undecryptable', 'relay-failed', 'relay-unreachable', 'store-failed', 'timed-out', 'no such code'].map(exitCodeOf))
      .toEqual([1, 2, 3, 4, 5, 6, 7, 1]);
  });
});
