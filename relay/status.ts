// The operator's own port: /metrics for Prometheus, and a page with the same numbers for a person, which needs no script. It listens
// on this machine unless told otherwise, for it says how much the relay is used.

import { createServer, type Server } from 'node:http';
import { ownMemoryBytes } from './guard.js';
import { History, LOOK_INTERVAL_MS, type Look } from './history.js';
import type { Metrics, Refusals, Standing, Work } from './metrics.js';

export interface StatusParts {
  readonly metrics: Metrics;
  readonly look: () => Standing;
  readonly version: string;
  /** Limits beside which the numbers stand. */
  readonly limits: { readonly connections: number; readonly storeMailboxes: number; readonly storeBytes: number };
  /** Why the relay is not ready; empty if it is. */
  readonly problems: () => readonly string[];
  /** ms since the relay started. */
  readonly upMs: () => number;
}

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NOTHING_ELSE = { 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'", 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** The part of a limit from which on its bar warns. */
const NEAR = 0.8;

/** Units of a curve's picture; it is stretched to the room that there is. */
const [CURVE_WIDTH, CURVE_HEIGHT] = [300, 48];

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c2024, #edeef0); --quiet: light-dark(#60646c, #b0b4ba); --line: light-dark(#e0e1e6, #363a3f);
  --ground: light-dark(#f9f9fb, #111113); --tile: light-dark(#fff, #18191b); --good: light-dark(#2b9a66, #33b074); --bad: light-dark(#ce2c31, #ff6369); }
* { box-sizing: border-box; }
body { max-width: 54rem; margin: 0 auto; padding: clamp(1.25rem, 6vw, 4rem) 1.25rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { display: flex; gap: .7rem; align-items: baseline; margin: 0; font-size: 1.5rem; line-height: 1.25; font-weight: 600; }
h1::before { flex: none; width: .7rem; height: .7rem; border-radius: 50%; background: var(--good); content: ""; }
h1.bad::before { background: var(--bad); }
p, h2, dt, small { color: var(--quiet); }
small { display: block; margin-top: .4rem; font-size: .8125rem; }
header p { margin: .3rem 0 2rem 1.4rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
section, dl { margin: 0; padding: 1rem 1.2rem; border: 1px solid var(--line); border-radius: .75rem; background: var(--tile); }
h2 { margin: 0; font-size: .875rem; font-weight: 500; }
section p { margin: 0; }
b { color: var(--ink); font-size: 1.5rem; font-weight: 600; }
svg { display: block; width: 100%; height: 3rem; margin-top: .6rem; overflow: visible; }
path { fill: none; stroke: var(--good); stroke-width: 1.5; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.bar { height: .375rem; margin-top: .9rem; border-radius: .25rem; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--good); }
.bar.near i { background: var(--bad); }
dl { display: grid; grid-template-columns: minmax(8rem, auto) 1fr; gap: .55rem 1.5rem; margin-top: 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
`;

/** A server that does not listen yet. */
export function createStatus(parts: StatusParts): Server {
  const history = new History(async () => ({ connections: parts.look().connections, taken: (await parts.metrics.work()).taken }));
  const server = createServer((request, response) => {
    void answer(parts, history, request.url ?? '').then(({ status, type, body }) => response.writeHead(status, { ...NOTHING_ELSE, 'content-type': type }).end(body));
  });
  server.on('close', () => history.stop());
  return server;
}

async function answer(parts: StatusParts, history: History, url: string): Promise<{ readonly status: number; readonly type: string; readonly body: string }> {
  const { registry } = parts.metrics;
  switch (url) {
    case '/metrics': return { status: 200, type: registry.contentType, body: await registry.metrics() };
    case '/': return { status: 200, type: 'text/html; charset=utf-8', body: page(parts, await parts.metrics.work(), history.looks) };
    default: return { status: 404, type: 'text/plain', body: 'Not found\n' };
  }
}

function page({ look, version, limits, problems, upMs }: StatusParts, work: Work, looks: readonly Look[]): string {
  const { connections, waiting, totals, turn, diskFreeBytes, certificateEndsAt } = look();
  const wrong = problems();
  const state = wrong.length === 0 ? '<h1>The relay is ready</h1>' : `<h1 class="bad">The relay takes nothing new: ${wrong.join(', ')}</h1>`;
  const tiles = [
    tile('Connections', `${count(connections)}</b> of ${count(limits.connections)}`, curve(looks.map((each) => each.connections), 'at once') + bar(connections / limits.connections)),
    tile('Envelopes taken', `${count(work.taken)}</b> since the start`, curve(looks.map(({ taken }) => taken), `in ${LOOK_INTERVAL_MS / 1_000} s`)),
    tile('Mailboxes', `${count(totals.mailboxes)}</b> of ${count(limits.storeMailboxes)}`, bar(totals.mailboxes / limits.storeMailboxes)),
    tile('Kept', `${size(totals.bytes)}</b> of ${size(limits.storeBytes)}`, bar(totals.bytes / limits.storeBytes)),
  ];
  const rows: readonly (readonly [string, string])[] = [
    ['Envelopes kept', count(totals.envelopes)],
    ['Cards kept', count(totals.cards)],
    ['To the disk', work.durableWithin === null ? 'nothing was written yet' : `99 of 100 times within ${work.durableWithin}; ${count(waiting)} waiting`],
    ['Refused by the store', listed(work.refused)],
    ['Refused before it', listed(work.refusedBefore)],
    ['TURN', `${count(turn.allocations)} allocations; ${size(turn.relayedBytes)} relayed`],
    ['Disk free', size(diskFreeBytes)],
    ['Memory', size(ownMemoryBytes())],
    ['Certificate', certificateEndsAt === null ? 'none here' : `ends ${new Date(certificateEndsAt).toISOString().slice(0, 10)}`],
  ];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>Sotto relay: ${wrong.length === 0 ? 'ready' : 'not ready'}</title>
<style>${STYLE}</style>
<header>${state}<p>Sotto ${version}, up ${duration(upMs())}</p></header>
<main>
<div class="tiles">${tiles.join('\n')}</div>
<dl>
${rows.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join('\n')}
</dl>
</main>
</html>
`;
}

function tile(name: string, words: string, picture: string): string {
  return `<section><h2>${name}</h2><p><b>${words}</p>${picture}</section>`;
}

function bar(part: number): string {
  return `<div class="bar${part >= NEAR ? ' near' : ''}"><i style="width:${(Math.min(1, part) * 100).toFixed(1)}%"></i></div>`;
}

/** The last hour, or what there is of it, from nothing at the bottom to the most at the top. */
function curve(values: readonly number[], unit: string): string {
  if (values.length < 2) return '<small>the curve begins in a minute</small>';
  const most = Math.max(...values);
  const points = values.map((value, index) => `${((index / (values.length - 1)) * CURVE_WIDTH).toFixed(1)} ${((1 - value / Math.max(1, most)) * CURVE_HEIGHT).toFixed(1)}`);
  return `<svg viewBox="0 0 ${CURVE_WIDTH} ${CURVE_HEIGHT}" preserveAspectRatio="none" aria-hidden="true"><path d="M${points.join('L')}"/></svg><small>in the last hour at most ${count(most)} ${unit}</small>`;
}

function listed(refusals: Refusals): string {
  return refusals.length === 0 ? 'nothing since the start' : refusals.map(([code, times]) => `${count(times)} ${code}`).join(', ');
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function size(bytes: number): string {
  if (!Number.isFinite(bytes)) return 'unknown';
  return bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${count(Math.round(bytes / MIB))} MiB`;
}

function duration(ms: number): string {
  const [unit, name] = ([[DAY_MS, 'day'], [HOUR_MS, 'hour'], [MINUTE_MS, 'minute']] as const).find(([each]) => ms >= each) ?? [1_000, 'second'];
  const units = Math.floor(ms / unit);
  return `${units} ${name}${units === 1 ? '' : 's'}`;
}
