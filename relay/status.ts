// The operator's own port: /metrics for Prometheus, and a page with the same numbers for a person. It listens on this machine
// unless told otherwise, for it says how much the relay is used.

import { createServer, type Server } from 'node:http';
import type { Standing } from './metrics.js';
import type { Registry } from 'prom-client';

export interface StatusParts {
  readonly registry: Registry;
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
const HOUR_MS = 3_600_000;
const NOTHING_ELSE = { 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'", 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

const STYLE = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { max-width: 46rem; margin: 8vh auto; padding: 0 1.25rem; font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.5rem; font-weight: 600; }
p { margin: .2rem 0 1.8rem; opacity: .75; }
.good::before, .bad::before { content: "●"; margin-right: .4rem; color: #2e9e5b; }
.bad::before { color: #d1453b; }
dl { display: grid; grid-template-columns: 11rem 1fr; margin: 0; border-top: 1px solid var(--line); }
dt, dd { margin: 0; padding: .65rem 0; border-bottom: 1px solid var(--line); }
dd { font-variant-numeric: tabular-nums; }
meter { width: 100%; height: .5rem; }
`;

/** A server that does not listen yet. */
export function createStatus(parts: StatusParts): Server {
  return createServer((request, response) => {
    void answer(parts, request.url ?? '').then(({ status, type, body }) => response.writeHead(status, { ...NOTHING_ELSE, 'content-type': type }).end(body));
  });
}

async function answer(parts: StatusParts, url: string): Promise<{ readonly status: number; readonly type: string; readonly body: string }> {
  switch (url) {
    case '/metrics': return { status: 200, type: parts.registry.contentType, body: await parts.registry.metrics() };
    case '/': return { status: 200, type: 'text/html; charset=utf-8', body: page(parts) };
    default: return { status: 404, type: 'text/plain', body: 'Not found\n' };
  }
}

function page({ look, version, limits, problems, upMs }: StatusParts): string {
  const { connections, waiting, totals, diskFreeBytes, certificateEndsAt } = look();
  const wrong = problems();
  const rows: readonly (readonly [string, string])[] = [
    ['Connections', gauge(connections, limits.connections)],
    ['Mailboxes', gauge(totals.mailboxes, limits.storeMailboxes)],
    ['Kept', gauge(totals.bytes, limits.storeBytes, mib)],
    ['Envelopes', grouped(totals.envelopes)],
    ['Cards', grouped(totals.cards)],
    ['Waiting for the disk', grouped(waiting)],
    ['Disk free', mib(diskFreeBytes)],
    ['Memory', mib(process.memoryUsage.rss())],
    ['Certificate', certificateEndsAt === null ? 'none here' : `ends ${new Date(certificateEndsAt).toISOString().slice(0, 10)}`],
  ];
  const state = wrong.length === 0 ? '<h1 class="good">The relay is ready</h1>' : `<h1 class="bad">The relay takes nothing new: ${wrong.join(', ')}</h1>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>Sotto relay: status</title>
<style>${STYLE}</style>
${state}
<p>Sotto ${version}, up ${(upMs() / HOUR_MS).toFixed(1)} hours</p>
<dl>
${rows.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join('\n')}
</dl>
</html>
`;
}

function gauge(value: number, max: number, write = grouped): string {
  return `${write(value)} of ${write(max)}<br><meter value="${value}" max="${max}" high="${max * 0.8}" optimum="0"></meter>`;
}

function grouped(value: number): string {
  return value.toLocaleString('en');
}

function mib(bytes: number): string {
  return Number.isFinite(bytes) ? `${grouped(Math.round(bytes / MIB))} MiB` : 'unknown';
}
