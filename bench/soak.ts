// The bench `soak`: the process of a relay among all that may happen to it, on a clock that runs thirty times as fast, so that an hour
// is half a day of expiry. It prints the curve of the relay's memory, which must become flat, and counts what was lost: nothing.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ready } from '../crypto/sodium.js';
import { figure, median, type Bench, type Figure } from './figure.js';
import { Crowd } from './soak/crowd.js';

/** How long; more with SOTTO_SOAK_MINUTES. */
const MINUTES = Number(process.env['SOTTO_SOAK_MINUTES'] ?? 1);
const SAMPLE_MS = 1_000;
const LINES = 20;
/** The part of the time in which caches fill and code is compiled. */
const WARM = 0.1;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const MIB = 1024 * 1024;

const PROGRAM = fileURLToPath(new URL('../dist/bin/sotto.js', import.meta.url));
/** So few that mailboxes are full at times. */
const LIMITS = ['--mailbox-envelopes', '60', '--mailbox-bytes', '1000000'];

/** How much faster the relay's clocks and timers go. */
const PACE = 30;
const HASTE = `
const [wall, steady] = [Date.now(), performance.now.bind(performance)];
performance.now = () => steady() * ${PACE};
Date.now = () => wall + Math.floor(performance.now());
for (const name of ['setTimeout', 'setInterval']) {
  const timer = globalThis[name];
  globalThis[name] = (act, ms = 0, ...given) => timer(act, ms / ${PACE}, ...given);
}
`;

export const soak: Bench = {
  name: 'soak',
  sentence: 'memory of a relay over half an hour of a busy life in a minute; longer with SOTTO_SOAK_MINUTES',
  run,
};

/** One look at the relay, by its own metrics. */
interface Sample {
  readonly atMs: number;
  readonly rssMib: number;
  readonly heapMib: number;
  readonly files: number;
  readonly connections: number;
  readonly envelopes: number;
  readonly storeMib: number;
  readonly cpuSeconds: number;
}

async function run(): Promise<Figure[]> {
  await ready();
  const folder = await mkdtemp(join(tmpdir(), 'sotto-bench-'));
  const relay = spawn(process.execPath, [
    '--import', `data:text/javascript,${encodeURIComponent(HASTE)}`, PROGRAM, 'relay', '--port', '0', '--stun-port', '0', '--metrics-port', '0', '--data', folder, '--json', '--log-level', 'error', ...LIMITS,
  ], { stdio: ['ignore', 'pipe', 2] });
  const exited = once(relay, 'exit');
  try {
    const [line] = await once(createInterface(relay.stdout!), 'line') as [string];
    const { url, metricsPort } = JSON.parse(line) as { readonly url: string; readonly metricsPort: number };
    const crowd = new Crowd(new URL(url));
    crowd.start();
    const samples = await watch(`http://127.0.0.1:${metricsPort}/metrics`, crowd);
    const lost = await crowd.end();
    return figuresOf(samples, crowd, lost);
  } finally {
    relay.kill('SIGKILL');
    await exited;
    await rm(folder, { recursive: true });
  }
}

async function watch(metrics: string, crowd: Crowd): Promise<Sample[]> {
  const samples: Sample[] = [];
  const since = performance.now();
  let told = 0;
  for (let atMs = 0; atMs < MINUTES * MINUTE_MS; atMs = performance.now() - since) {
    const sample = await look(metrics, atMs);
    samples.push(sample);
    if (atMs >= told * MINUTES * MINUTE_MS / LINES) {
      told += 1;
      process.stderr.write(`${describe(sample)}; ${crowd.accepted} accepted, ${crowd.delivered} delivered, ${crowd.refused} refused, ${crowd.cut} cut\n`);
    }
    await sleep(SAMPLE_MS);
  }
  return samples;
}

async function look(metrics: string, atMs: number): Promise<Sample> {
  const text = await (await fetch(metrics)).text();
  const read = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  return {
    atMs, rssMib: read('process_resident_memory_bytes') / MIB, heapMib: read('nodejs_heap_size_used_bytes') / MIB, files: read('process_open_fds'), connections: read('sotto_connections'),
    envelopes: read('sotto_store_envelopes'), storeMib: read('sotto_store_bytes') / MIB, cpuSeconds: read('process_cpu_seconds_total'),
  };
}

function describe({ atMs, rssMib, heapMib, files, connections, envelopes, storeMib }: Sample): string {
  const hours = (atMs * PACE) / HOUR_MS;
  return `${(atMs / MINUTE_MS).toFixed(1)} min, ${hours.toFixed(1)} h: ${rssMib.toFixed(0)} MiB resident, ${heapMib.toFixed(0)} of heap; ${connections} connections, ${files} files; ${envelopes} kept with ${storeMib.toFixed(1)} MiB`;
}

/** The last quarter beside the first after the relay was warm. */
function figuresOf(samples: readonly Sample[], { accepted, delivered }: Crowd, lost: number): Figure[] {
  const warm = samples.slice(Math.floor(samples.length * WARM));
  const quarter = Math.ceil(warm.length / 4);
  const beside = (name: string, unit: string, of: (sample: Sample) => number): Figure =>
    figure({ figure: name, unit, ours: median(warm.slice(-quarter).map(of)), peer: median(warm.slice(0, quarter).map(of)), peerName: 'itself, in the first quarter', better: 'lower' });
  const alone = (name: string, unit: string, ours: number, better: Figure['better']): Figure => figure({ figure: name, unit, ours, peer: null, peerName: 'none', better });
  return [
    beside('resident memory, last quarter', 'MiB', ({ rssMib }) => rssMib),
    beside('heap, last quarter', 'MiB', ({ heapMib }) => heapMib),
    beside('open files, last quarter', 'files', ({ files }) => files),
    alone('CPU', 's/1,000', samples.at(-1)!.cpuSeconds / accepted * 1_000, 'lower'),
    alone('accepted', 'envelopes', accepted, 'higher'),
    alone('delivered', 'envelopes', delivered, 'higher'),
    alone('accepted and lost', 'envelopes', lost, 'lower'),
  ];
}
