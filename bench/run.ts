// The command `npm run bench -- NAME [--json]`: runs one bench and shows what it says, to a person or to a program. It measures
// nothing itself.

import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { crypto } from './crypto.js';
import type { Bench, Figure } from './figure.js';
import { relay } from './relay.js';
import { soak } from './soak.js';
import { talk } from './talk.js';
import { turn } from './turn.js';

const BENCHES: readonly Bench[] = [talk, crypto, relay, soak, turn];

/** The caller's fault, as the command `sotto` has it. */
const EXIT_USAGE = 2;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean', default: false } } });
const bench = BENCHES.find(({ name }) => name === positionals[0]);

if (bench === undefined) {
  process.stderr.write(`Usage: npm run --silent bench -- NAME [--json]\n\n${columns(BENCHES.map(({ name, sentence }) => [name, sentence]))}\n`);
  process.exitCode = positionals.length === 0 ? 0 : EXIT_USAGE;
} else {
  const figures = await bench.run();
  process.stdout.write(`${values.json ? JSON.stringify({ name: bench.name, figures }) : table(figures)}\n`);
}

function table(figures: readonly Figure[]): string {
  const head = ['figure', 'unit', 'ours', 'peer', 'ratio', 'better', 'peer is'];
  const rows = figures.map(({ figure, unit, ours, peer, ratio, better, peerName }) => [figure, unit, `${ours}`, `${peer ?? '-'}`, `${ratio ?? '-'}`, better, peerName]);
  return `${columns([head, ...rows])}\n\n${machine()}`;
}

function machine(): string {
  const cores = cpus();
  return `${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}, ${process.platform} ${process.arch}`;
}

/** Rows as aligned columns. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()).join('\n');
}
