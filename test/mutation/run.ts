// Whether the tests would notice: weakens one guard at a time in a copy of the house (test/mutation/mutants.ts), runs the tests
// that fit, and lists what survives. `npm run mutation` does all; `npm run mutation -- crypto/session.ts` what begins so.
// It must never write to the house itself.

import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isEquivalent } from './equivalent.js';
import { type Mutant, mutantsOf } from './mutants.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Room → what vitest is asked to run: the short tests that notice most, and all of them for what those let live. */
const TESTS: Record<string, readonly (readonly string[])[]> = {
  'crypto': [['--no-isolate', ...['frozen', 'session', 'handshake', 'bytes', 'identity', 'devices', 'archive', 'name', 'invitation', 'reset'].map((name) => `test/crypto/${name}.test.ts`)], ['test/crypto']],
  'client/core': [['--no-isolate', ...['body', 'call', 'conversation', 'core', 'direct', 'flight', 'outbox', 'receipt', 'resumption', 'week', 'hostile', 'sdp'].map((name) => `test/client/core/${name}.test.ts`)], ['test/client/core']],
  'relay/core': [
    ['--no-isolate', ...['core', 'collecting', 'limits', 'source'].map((name) => `test/relay/${name}.test.ts`)],
    // The others of its file start the built program.
    ['test/relay/turn/offer.test.ts', '--testNamePattern=a request for TURN'],
  ],
  'relay/turn': [
    ['--no-isolate', ...['turn', 'access', 'limits', 'peers', 'stun'].map((name) => `test/relay/turn/${name}.test.ts`)],
    ['test/relay/turn/fuzz.test.ts', '--testNamePattern=^(no bytes|allocations)'],
    ['test/relay/turn/offer.test.ts', '--testNamePattern=^(our URLs|a credential|a name)'],
  ],
};

/** What does nothing but own sockets and threads: a real network is its test, and takes longer than a mutant is worth. */
const LOOPS = new Set(['clock', 'door', 'server', 'socket', 'worker', 'workers'].map((name) => `relay/turn/${name}.ts`));

/** A mutant that runs so many times longer than the same tests did without one has no end. */
const PATIENCE = 8;
/** Without a mutant all tests end, however busy the machine is. */
const PATIENCE_AT_FIRST_MS = 3_600_000;

/** Without the set-up of the house's own configuration: nothing here needs the built program. */
const CONFIGURATION = `export default { test: { include: ['test/**/*.test.ts'], testTimeout: 600_000 } };\n`;

type Fate = 'killed' | 'survived' | 'endless';

function find(prefixes: readonly string[]): Mutant[] {
  const files = Object.keys(TESTS).flatMap((room) => readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((name) => `${room}/${name}`));
  const wanted = files.filter((file) => /(?<!_pb|\.d)\.ts$/.test(file) && !LOOPS.has(file) && (prefixes.length === 0 || prefixes.some((prefix) => file.startsWith(prefix))));
  return wanted.toSorted().flatMap((file) => mutantsOf(file, readFileSync(join(root, file), 'utf8')));
}

/** A copy of everything that the tests read, with the installed packages of the house beside it. */
function copy(folder: string): string {
  const house = join(folder, 'house');
  const parts = ['crypto', 'client', 'relay', 'bench', 'test', 'package.json', 'tsconfig.json', 'PROTOCOL.md'];
  for (const name of parts) cpSync(join(root, name), join(house, name), { recursive: true, filter: (path) => !path.endsWith('node_modules') });
  symlinkSync(resolve(root, 'node_modules'), join(house, 'node_modules'));
  if (existsSync(join(root, '../shared'))) symlinkSync(resolve(root, '../shared'), join(folder, 'shared'));
  writeFileSync(join(house, 'vitest.config.ts'), CONFIGURATION);
  return house;
}

function roomOf(file: string): string {
  return Object.keys(TESTS).find((name) => file.startsWith(`${name}/`))!;
}

/** How long each of a room's runs may take, by how long it took without any mutant: one patience for all would keep what has no end waiting for the longest. */
async function measure(house: string, room: string): Promise<readonly number[]> {
  const patienceMs: number[] = [];
  for (const tests of TESTS[room]!) {
    const since = performance.now();
    if ((await runVitest(house, tests, PATIENCE_AT_FIRST_MS)) !== 'survived') throw new Error(`The tests of ${room} fail without any mutant.`);
    patienceMs.push(PATIENCE * (performance.now() - since));
  }
  return patienceMs;
}

async function runTests(house: string, room: string, patienceMs: readonly number[]): Promise<Fate> {
  for (const [index, tests] of TESTS[room]!.entries()) {
    const fate = await runVitest(house, tests, patienceMs[index]!);
    if (fate !== 'survived') return fate;
  }
  return 'survived';
}

function runVitest(house: string, tests: readonly string[], patienceMs: number): Promise<Fate> {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const child = spawn(process.execPath, [vitest, 'run', '--bail=1', '--maxWorkers=1', '--reporter=dot', ...tests], { cwd: house, stdio: 'ignore', detached: true });
  return new Promise((answer) => {
    const patience = setTimeout(() => {
      process.kill(-child.pid!, 'SIGKILL');
      answer('endless');
    }, patienceMs);
    child.on('exit', (code) => {
      clearTimeout(patience);
      answer(code === 0 ? 'survived' : 'killed');
    });
  });
}

async function tryMutant(house: string, { file, from, to, after }: Mutant, patienceMs: readonly number[]): Promise<Fate> {
  const path = join(house, file);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.slice(0, from) + after + text.slice(to));
  try {
    return await runTests(house, roomOf(file), patienceMs);
  } finally {
    writeFileSync(path, text);
  }
}

async function main(prefixes: readonly string[]): Promise<void> {
  const mutants = find(prefixes);
  const survivors: Mutant[] = [];
  const queue = mutants.entries();
  const work = async (): Promise<void> => {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-mutation-'));
    const house = copy(folder);
    try {
      const patienceMs = new Map<string, readonly number[]>();
      for (const room of new Set(mutants.map(({ file }) => roomOf(file)))) patienceMs.set(room, await measure(house, room));
      for (const [index, mutant] of queue) {
        const fate = isEquivalent(mutant) ? 'equivalent' : await tryMutant(house, mutant, patienceMs.get(roomOf(mutant.file))!);
        if (fate === 'survived') survivors.push(mutant);
        const { file, line, before, after } = mutant;
        if (fate !== 'killed') process.stdout.write(`${index + 1}/${mutants.length} ${fate}: ${file}:${line}  ${before}  ->  ${after}\n`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  await Promise.all(Array.from({ length: Number(process.env['SOTTO_MUTATION_WORKERS'] ?? availableParallelism()) }, work));
  process.stdout.write(`${mutants.length} mutants, ${survivors.length} survived\n`);
  process.exitCode = survivors.length === 0 ? 0 : 1;
}

await main(process.argv.slice(2));
