import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createKey, homeFiles, lockHome } from '../../../client/home.js';
import { reference } from '../../../client/cli/contacts.js';
import { exitCodeOf } from '../../../client/cli/exit.js';
import { contactWords, relayWords } from '../../../client/cli/status.js';
import { serve, type Served } from '../../../client/cli/rpc.js';
import { ERRORS } from '../../../crypto/error.js';
import { BOB, CAROL, MemoryClient } from '../../support/memory-client.js';

/** A real link, to a relay that nobody asks. */
const LINK = 'http://relay.test:81/i#AXfMSyzlXvY4MBcq849ZpahRFNO0F1PUuZtOIANY79i_BmhfKzh44boWmYScZQFSUA';

const SCRIPT = join(import.meta.dirname, '../../../dist/bin/sotto.js');
/** util-linux's script gives a command a terminal of its own. */
const hasTerminals = spawnSync('script', ['--version']).stdout?.includes('util-linux') ?? false;

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
function sotto(args: readonly string[], input: string | Uint8Array = '', at = home): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, SOTTO_HOME: at, SOTTO_PASSPHRASE: '' };
    const child = execFile(process.execPath, [SCRIPT, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

/** Runs the command on a terminal of its own, and types when it is asked. */
async function onTerminal(line: string, question: string, typed: string): Promise<{ readonly code: number; readonly shown: string }> {
  const child = spawn('script', ['-qfec', `'${process.execPath}' '${SCRIPT}' ${line}`, '/dev/null'], { env: { ...process.env, SOTTO_HOME: home, SHELL: '/bin/sh' } });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    if (!shown.includes(question) && (shown + chunk).includes(question)) child.stdin.write(typed);
    shown += chunk;
  });
  const [code] = await once(child, 'close') as [number];
  return { code, shown };
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
    expect(plain!.stdout).toMatch(/ {2}Carol \(cacacaca\) asks to be your contact: It is me {2}\(and 1 more\)\n/);
  });

  it('says with the list of those who wait that some may be missing while the relay is away', async () => {
    const { relay } = client;
    client.relay = { ...relay, online: false, reason: 'nothing listens there' };
    const [plain, json] = await Promise.all([sotto(['requests']), sotto(['requests', '--json'])]);
    client.relay = relay;
    expect(plain.stdout).toContain('Carol');
    expect(plain.stderr).toBe('sotto: Whoever came lately may be missing: the relay http://127.0.0.1:8080 brings nothing (nothing listens there).\n');
    expect(json).toMatchObject({ code: 0, stderr: '' });
    expect(await sotto(['requests'])).toMatchObject({ stderr: '' });
  });

  it('blocks a contact, takes them back, and removes none whom nobody has said yes to', async () => {
    expect(JSON.parse((await sotto(['contacts', 'block', 'Bob', '--json'])).stdout)).toEqual({ contact: BOB, blocked: true });
    expect((await sotto(['contacts'])).stdout).toBe('b0b0b0b0  Bob  (blocked)\n');
    expect((await sotto(['contacts', 'unblock', 'b0'])).stdout).toMatch(/^Bob is not blocked any more\./);
    expect(await sotto(['contacts', 'remove', 'Bob'], 'yes\n')).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('add --yes if it is meant') });
    expect(await sotto(['contacts', 'remove'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/The contact is missing: .*; see "(npx )?sotto contacts remove --help"/) });
    expect(client.people).toEqual([BOB]);
    // Options of the command around it count too, or another home would be meant.
    expect(await sotto(['contacts', '--home', '/nonexistent', 'remove', 'Bob', '--yes'])).toMatchObject({ code: 2, stderr: expect.stringContaining('/nonexistent') });
    expect(JSON.parse((await sotto(['contacts', '--json', 'remove', 'Bob', '--yes'])).stdout)).toEqual({ contact: BOB });
    expect(client.people).toEqual([]);
    client.people = [BOB];
  });

  it.skipIf(!hasTerminals).each([['yes', 0, []], ['no', 130, [BOB]]] as const)('removes a contact after a question on a terminal: %s', async (answer, code, left) => {
    const { code: ended, shown } = await onTerminal('contacts remove Bob', 'Type yes or no:', `${answer}\n`);
    expect([ended, client.people]).toEqual([code, left]);
    expect(shown).toContain('Remove Bob (b0b0b0b0)? All messages with them go');
    client.people = [BOB];
  });

  it.skipIf(!hasTerminals)('takes the words of a backup on a terminal as they were printed, in several lines', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-words-'));
    const [old, file] = [join(folder, 'old'), join(folder, 'backup')];
    await sotto(['init', '--name', 'Ann', '--relay', 'http://127.0.0.1:9', '--home', old]);
    const { stdout } = await sotto(['backup', file, '--home', old]);
    const words = stdout.slice(stdout.indexOf('\n\n') + 1, stdout.lastIndexOf('\n\n') + 1);
    expect(words.trim().split('\n')).toHaveLength(4);
    expect(await onTerminal(`restore ${file} --home ${join(folder, 'new')}`, 'recovery key', words)).toMatchObject({ code: 0, shown: expect.stringContaining('You are Ann again') });
    rmSync(folder, { recursive: true });
  });

  it('approves and refuses by the id alone, and says whom', async () => {
    const [before] = client.waiting;
    expect(await sotto(['approve', 'Carol'])).toMatchObject({ code: 2, stderr: expect.stringContaining('sotto requests') });
    expect(await sotto(['refuse'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') });
    const { stdout } = await sotto(['approve', 'caca', '--json']);
    expect(JSON.parse(stdout)).toEqual({ contact: { id: before!.id, name: 'Carol' }, isBack: false });
    client.waiting = [before!];
    expect((await sotto(['approve', 'caca'])).stdout).toMatch(/^Carol is your contact now\. Write with: (npx )?sotto chat \w+\nThen compare numbers/);
    client.waiting = [before!, { ...before!, id: 'cb'.repeat(32) }];
    expect(JSON.parse((await sotto(['refuse', '--all', '--json'])).stdout)).toEqual({ refused: 2 });
    expect(client.waiting).toEqual([]);
    client.waiting = [before!];
  });

  it('says what is wrong with a command line, and where its help is', async () => {
    const wrong = [
      [['sned', 'Bob', 'x'], 'There is no command sned (did you mean send?); see "npx sotto --help".'],
      [['contacts', 'remve', 'Bob'], 'There is no command contacts remve (did you mean remove?); see "npx sotto contacts --help".'],
      [['unblock', 'Bob'], 'There is no command unblock (did you mean contacts unblock?); see "npx sotto --help".'],
      [['--home', '/x', 'contacts'], 'There is no option --home before the command; it goes behind it; see "npx sotto --help".'],
      [['relay', 'nonsense'], 'There is no command relay nonsense; see "npx sotto relay --help".'],
      [['send', '-Bob', 'x'], 'There is no option -Bob; a name or text that begins with - goes behind all options and --; see "npx sotto send --help".'],
      [['relay', '--wat'], 'There is no option --wat; see "npx sotto relay --help".'],
      [['contacts', '--jsno'], 'There is no option --jsno (did you mean --json?); see "npx sotto contacts --help".'],
      [['policy', 'Bob'], 'The policy is missing: direct, or relay-only; see "npx sotto policy --help".'],
      [['send', 'Bob', 'two', 'words'], 'There are more words than it takes; a name or text with spaces goes in quotes; see "npx sotto send --help".'],
      [['init'], '--name <name> is missing; see "npx sotto init --help".'],
      [['relay', '--port'], '--port <number> needs a value; see "npx sotto relay --help".'],
    ] as const;
    const ended = await Promise.all(wrong.map(([args]) => sotto(args)));
    expect(ended).toEqual(wrong.map(([, sentence]) => ({ code: 2, stdout: '', stderr: `sotto: ${sentence}\n` })));
    const { code, stdout, stderr } = await sotto(['nonsense', '--json']);
    expect({ code, stderr, error: JSON.parse(stdout).error.code }).toEqual({ code: 2, stderr: '', error: 'option-invalid' });
  });

  it('takes a name or text that begins with - behind --', async () => {
    expect(await sotto(['send', '--json', '--', 'Bob', '-1'])).toMatchObject({ code: 0 });
    expect(client.messages.at(-1)?.text).toBe('-1');
  });

  it('sends no text that is empty, too long or not UTF-8', async () => {
    const before = client.messages.length;
    const refused = await Promise.all([
      sotto(['send', 'Bob', ' \t\n']), sotto(['send', 'Bob', '-'], '\n \n'), sotto(['send', 'Bob', '-'], Buffer.alloc(70_000, 'a')), sotto(['send', 'Bob', '-'], Buffer.from([0x68, 0xff])),
    ]);
    expect(refused.map(({ code }) => code)).toEqual([2, 2, 2, 2]);
    expect(refused.map(({ stderr }) => stderr)).toEqual([
      expect.stringContaining('empty'), expect.stringContaining('empty'), expect.stringContaining('too long'), expect.stringContaining('no text in UTF-8'),
    ]);
    expect(client.messages).toHaveLength(before);
  });

  it('needs a home, and says how to make it', async () => {
    const nowhere = join(home, 'no where');
    const init = `There is no identity in ${nowhere} yet; make one with "npx sotto init --name NAME --relay`;
    const [json, plain, guest] = await Promise.all([sotto(['contacts', '--json'], '', nowhere), sotto(['contacts', '--home', nowhere]), sotto(['accept', LINK, '--home', nowhere])]);
    expect(json.code).toBe(2);
    expect(JSON.parse(json.stdout)).toEqual({ error: { code: 'home-missing', message: `${init} URL".` } });
    expect(plain.stderr).toBe(`sotto: ${init} URL --home '${nowhere}'".\n`);
    expect(guest).toEqual({ code: 2, stdout: '', stderr: `sotto: ${init} http://relay.test:81 --home '${nowhere}'", then accept again.\n` });
  });

  it('takes a link that was broken into lines on its way', async () => {
    const broken = LINK.replace('Y4MB', 'Y4\n   MB');
    expect(await sotto(['accept', ` ${broken}\n`, '--json'])).toMatchObject({ code: 2, stderr: '' });
    expect(client.calls.at(-1)).toEqual(['accept', LINK]);
  });

  it('says which file or folder of a backup is not there', async () => {
    const missing = join(home, 'no backup');
    const at = join(home, 'nobody');
    expect(await sotto(['restore', missing], '', at)).toEqual({ code: 6, stdout: '', stderr: `sotto: There is no ${missing}; check how it is written.\n` });
  });

  it('takes for a home only what can be one', async () => {
    const file = homeFiles(home).key;
    const [empty, inFile, below, file2] = await Promise.all([
      sotto(['contacts', '--home', '']), sotto(['contacts', '--home', file]), sotto(['init', '--name', 'A', '--home', join(file, 'deep', 'home')]), sotto(['init', '--name', 'A', '--home', file]),
    ]);
    expect([empty.code, inFile.code, below.code, file2.code]).toEqual([2, 2, 6, 2]);
    expect(empty.stderr).toContain('this one is empty');
    for (const { stderr } of [inFile, file2]) expect(stderr).toContain(`${file} is a file; --home takes a folder.`);
    expect(below.stderr).toContain('cannot be made');
  });

  it.skipIf(process.platform !== 'linux')('ends where the system lets nobody make a folder', async () => {
    expect(await sotto(['init', '--name', 'A', '--home', '/proc/nobody/home'])).toMatchObject({ code: 6, stderr: expect.stringContaining('The folder /proc/nobody/home cannot be made') });
  });

  it('says that a listener listens already', async () => {
    const unlock = lockHome(home, 'listen');
    expect(await sotto(['listen'])).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(`Another "npx sotto listen" shows the messages of this home already, as process ${process.pid}`) });
    unlock();
  });

  it('warns of a second contact of one name, and names both in a way that a command takes', async () => {
    const before = client.people;
    client.people = [BOB, { id: 'dd'.repeat(32), name: 'bob' }];
    const { stdout } = await sotto(['accept', 'sotto://invitation', '--home', home]);
    expect(stdout).toContain(`npx sotto chat b0b0b0b0 --home ${home}\n`);
    expect(stdout).toContain('you have another contact of this name. The new one is b0b0b0b0, not dddddddd.');
    client.people = before;
    expect(reference({ id: 'b0'.repeat(32), name: '-x' }, [])).toBe('b0b0b0b0');
    expect(reference(BOB, [BOB, CAROL])).toBe('Bob');
  });

  it('writes JSON of the shapes that programs rely on', async () => {
    const [invite, accept, contacts, verify, status, history, policy] = await Promise.all(
      [['invite'], ['accept', 'sotto://invitation'], ['contacts'], ['verify', 'Bob'], ['status'], ['history', 'Bob', '--limit', '1'], ['policy', 'b0b0', 'relay-only']]
        .map(async (args) => JSON.parse((await sotto([...args, '--json'])).stdout)));
    expect(invite).toEqual({ link: 'sotto://invitation', expiresAt: expect.any(Number) });
    expect(accept).toEqual({ contact: BOB, isBack: false });
    expect(contacts).toEqual({ contacts: [{ ...BOB, blocked: false }] });
    expect(verify).toEqual({ contact: BOB, number: '12345'.repeat(12) });
    expect(status).toMatchObject({ identity: { name: 'Alice' }, relays: [{ online: true }], contacts: [BOB] });
    expect(history.messages).toHaveLength(1);
    expect(policy).toEqual({ contact: BOB, policy: 'relay-only' });
    expect(client.calls).toContainEqual(['setPolicy', BOB.id, 'relay-only']);
  });

  it('tells the state of things as a person would', async () => {
    const { stdout } = await sotto(['status']);
    expect(stdout).toMatch(/^relay http:\/\/127\.0\.0\.1:8080: online, 12 ms$/m);
    expect(stdout).toMatch(/^ {2}by the relay since [\w ]*\d\d:\d\d, 23 ms: the contact has not been seen$/m);
    expect(stdout).toMatch(/^ {2}policy direct; nothing heard from them yet$/m);
    const direct = { ...client.contactStatus(BOB), path: 'direct', pair: { local: '192.0.2.1:4000 host', remote: '[2001:db8::1]:5000 prflx' }, heardAt: Date.now() } as const;
    expect(contactWords(direct, Date.now()).slice(2)).toEqual(['between 192.0.2.1:4000 and [2001:db8::1]:5000', 'policy direct; last heard just now']);
    expect(contactWords({ ...client.contactStatus(BOB), connected: false }, Date.now())[1]).toBe('not connected; messages stay queued');
    const full = { ...client.contactStatus(BOB), connected: false, held: { reason: 'mailbox-full', until: Date.now() + 60_000 } };
    expect(contactWords(full, Date.now())[1]).toMatch(/^queued: the contact's mailbox is full; tried again by [\w ]*\d\d:\d\d$/);
    expect(relayWords({ url: 'http://r', online: true, rttMs: 3, reason: 'it does not answer', cause: 'does not answer' })).toBe('relay http://r: online, 3 ms, but brings nothing of what others write (it does not answer)');
    expect(relayWords({ url: 'http://r', online: false, rttMs: null, reason: 'nothing listens there', cause: 'connect ECONNREFUSED 192.0.2.1:80' })).toBe('relay http://r: offline (nothing listens there); until it is back, messages go by direct paths only');
  });

  it('says how far the message is when the person ends the waiting, and leaves with 130', async () => {
    client.held = new Promise(() => {});
    const child = spawn(process.execPath, [SCRIPT, 'send', 'Bob', 'long wait', '--wait', 'read'], { env: { ...process.env, SOTTO_HOME: home, SOTTO_PASSPHRASE: '' } });
    let err = '';
    child.stderr.on('data', (bytes) => (err += String(bytes)));
    await vi.waitFor(() => expect(client.calls.at(-1)?.slice(0, 3)).toEqual(['send', 'Bob', 'long wait']), { timeout: 60_000 });
    const [message] = client.messages;
    client.tell({ type: 'state', message: { ...message!, id: 'another', state: 'delivered' } });
    for (const state of ['queued', 'accepted'] as const) client.tell({ type: 'state', message: { ...message!, text: 'long wait', state } });
    // The event is with the other process before the answer to a later question is.
    await sotto(['contacts']);
    const ended = once(child, 'close');
    child.kill('SIGINT');
    expect((await ended)[0]).toBe(130);
    expect(err).toBe('sotto: Ended. The message is sent; do not send it again.\n');
    client.held = Promise.resolve();
  });

  it('says of a listener that begins whether it shows first what came before it, and shows it whoever else has', async () => {
    const script = join(import.meta.dirname, '../../../dist/bin/sotto.js');
    const listen = async (last: string) => {
      const child = spawn(process.execPath, [script, 'listen'], { env: { ...process.env, SOTTO_HOME: home, SOTTO_PASSPHRASE: '' } });
      let [out, err] = ['', ''];
      child.stdout.on('data', (bytes) => (out += String(bytes)));
      child.stderr.on('data', (bytes) => (err += String(bytes)));
      await vi.waitFor(() => expect(err).toContain('ends.'), { timeout: 60_000 });
      client.receive(BOB, last);
      await vi.waitFor(() => expect(out).toContain(last), { timeout: 60_000 });
      const ended = once(child, 'close');
      child.kill('SIGINT');
      await ended;
      return { out, err };
    };
    client.receive(BOB, 'read in chat');
    await client.markRead('Bob', client.messages.length);
    expect(await listen('one')).toEqual({ out: expect.stringContaining('read in chat'), err: 'Listening as Alice; Ctrl-C ends. What "listen" has not shown yet comes first, though "chat" may have shown it.\n' });
    expect(await listen('two')).toEqual({ out: expect.not.stringContaining('read in chat'), err: 'Listening as Alice; Ctrl-C ends.\n' });
  });

  it('says by how much a text or a name is too long', async () => {
    const [name, text] = await Promise.all([sotto(['init', '--name', 'n'.repeat(70), '--home', join(home, 'new')]), sotto(['send', 'Bob', '-'], Buffer.alloc(70_000, 'a'))]);
    expect(name.stderr).toBe('sotto: The name is too long by 6 bytes; it may have 64.\n');
    expect(text.stderr).toContain('it has more than 65,536 bytes, and one takes 63,144');
  });

  it('offers no JSON where there is none', async () => {
    expect((await sotto(['chat', '--help'])).stdout).not.toContain('--json');
    expect((await sotto(['chat', 'Bob'])).stderr).toContain('programs use "npx sotto send Bob -" and "npx sotto listen --json"');
  });

  it('lists its exit codes in its help', async () => {
    const { code, stdout } = await sotto(['--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Exit codes:[^]*7 {2}the message did not reach/);
  });
});

describe('the program', () => {
  it('loads no package before it knows the command, but the one that reads the command line', () => {
    const seen = new Set<string>();
    const packages = new Set<string>();
    const walk = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?:[^;']* from )?'([^']+)';/gm)) {
        if (name.startsWith('.')) walk(join(dirname(file), name));
        else if (!name.startsWith('node:')) packages.add(name);
      }
    };
    walk(join(import.meta.dirname, '../../../dist/bin/sotto.js'));
    expect(seen.size).toBeGreaterThan(5);
    expect([...packages]).toEqual(['commander']);
  });
});

describe('the exit code', () => {
  it('says whose fault an error is', () => {
    expect(Object.keys(ERRORS).filter((code) => exitCodeOf(code) === 0)).toEqual([]);
    expect(['internal', 'name-invalid', 'undecryptable', 'relay-failed', 'relay-unreachable', 'store-failed', 'timed-out', 'no such code'].map(exitCodeOf))
      .toEqual([1, 2, 3, 4, 5, 6, 7, 1]);
  });
});
