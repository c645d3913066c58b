// The browser's peer in a real Chromium, connected with Node's peer and with itself. Vite gives the page our own sources.

import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Browser, type Page } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Description } from '../../../client/core/description.js';
import { openNodePeer, shutdownNodePeers } from '../../../client/transports/peer-node.js';
import type { openWebPeer } from '../../../client/transports/peer-web.js';
import type { Peer, PeerOptions } from '../../../client/transports/peer.js';
import { CHROMIUM, hasChromium } from '../../support/chromium.js';

const WAIT = { timeout: 60_000, interval: 10 };
/** What a client gives one call (client/core/direct.ts). */
const CALL_MS = 8_000;
const PAGE = '<!doctype html><meta charset="utf-8"><title>peer-web</title>';

/** What both ends report, in a form that crosses from the page to Node. */
interface Report {
  description: (Omit<Description, 'fingerprint'> & { readonly fingerprint: readonly number[] }) | null;
  readonly candidates: string[];
  fingerprints: { readonly local: readonly number[]; readonly remote: readonly number[] } | null;
  readonly frames: number[][];
  readonly closed: string[];
}

/** One end of a connection, wherever it runs. */
interface End {
  report(): Promise<Report>;
  setRemote(report: Report, dtls?: 'client' | 'server'): Promise<void>;
  addCandidates(candidates: readonly string[]): Promise<void>;
  /** Sends frames of one length whose bytes are their numbers; tells whether each was taken. */
  send(count: number, length: number): Promise<boolean[]>;
  pair(): Promise<ReturnType<Peer['pair']>>;
  rttMs(): Promise<number | null>;
  close(): Promise<void>;
}

/** Opens an end with the given adapter. Runs in Node and, as text, in the page: it must use nothing from around it. */
function openEnd(open: typeof openWebPeer, role: PeerOptions['role']): End {
  const report: Report = { description: null, candidates: [], fingerprints: null, frames: [], closed: [] };
  const peer = open({
    role,
    stun: null,
    turn: null,
    bindAddress: '127.0.0.1',
    onDescription: (description) => (report.description = { ...description, fingerprint: [...description.fingerprint] }),
    onCandidates: (candidates) => report.candidates.push(...candidates),
    onRelayed: () => {},
    onOpen: ({ local, remote }) => (report.fingerprints = { local: [...local], remote: [...remote] }),
    onFrame: (frame) => report.frames.push([frame.length, frame[0] ?? -1]),
    onClosed: (reason) => report.closed.push(reason),
  });
  return {
    report: async () => report,
    setRemote: async ({ description }, dtls) => {
      if (description !== null) peer.setRemote({ ...description, fingerprint: Uint8Array.from(description.fingerprint) }, dtls);
    },
    addCandidates: async (candidates) => peer.addCandidates(candidates),
    send: async (count, length) => Array.from({ length: count }, (_, number) => peer.send(new Uint8Array(length).fill(number % 256))),
    pair: async () => peer.pair(),
    rttMs: async () => peer.rttMs(),
    close: async () => peer.close(),
  };
}

describe.skipIf(!hasChromium)('a browser (skipped where there is no Chromium)', () => {
  let vite: ViteDevServer;
  let browser: Browser;
  let page: Page;
  let opened = 0;

  beforeAll(async () => {
    vite = await createServer({
      configFile: false,
      logLevel: 'error',
      cacheDir: 'node_modules/.vite/peer-web',
      server: { host: '127.0.0.1', port: 0, hmr: false, watch: null },
      plugins: [{ name: 'page', configureServer: ({ middlewares }) => void middlewares.use((request, response, next) => (request.url === '/' ? response.setHeader('content-type', 'text/html').end(PAGE) : next())) }],
    });
    await vite.listen();
    browser = await chromium.launch(CHROMIUM);
    page = await browser.newPage();
    await page.goto(vite.resolvedUrls?.local[0] ?? '');
    await page.evaluate(`(async () => {
      const { openWebPeer } = await import('/client/transports/peer-web.ts');
      globalThis.ends = [];
      globalThis.openEnd = (role) => globalThis.ends.push((${openEnd.toString()})(openWebPeer, role)) - 1;
    })()`);
  });

  afterAll(async () => {
    await browser?.close();
    await vite?.close();
    shutdownNodePeers();
  });

  async function openWebEnd(role: PeerOptions['role']): Promise<End> {
    const at = opened++;
    await page.evaluate(`openEnd('${role}')`);
    const call = <T>(method: string, ...given: unknown[]): Promise<T> => page.evaluate<T>(`ends[${at}].${method}(...${JSON.stringify(given)})`);
    return {
      report: () => call('report'),
      setRemote: (report, dtls = 'client') => call('setRemote', report, dtls),
      addCandidates: (candidates) => call('addCandidates', candidates),
      send: (count, length) => call('send', count, length),
      pair: () => call('pair'),
      rttMs: () => call('rttMs'),
      close: () => call('close'),
    };
  }

  const openers = { web: openWebEnd, node: async (role: PeerOptions['role']): Promise<End> => openEnd(openNodePeer, role) };

  async function described(end: End): Promise<Report> {
    await vi.waitFor(async () => expect((await end.report()).description).not.toBeNull(), WAIT);
    return end.report();
  }

  /** One attempt to connect; null if the libraries have given up, or not come to an end in the time that a client gives them. */
  async function attempt(offering: keyof typeof openers, answering: keyof typeof openers, dtls: 'client' | 'server'): Promise<{ offerer: End; answerer: End } | null> {
    const [offerer, answerer] = [await openers[offering]('offerer'), await openers[answering]('answerer')];
    await answerer.setRemote(await described(offerer), dtls);
    await offerer.setRemote(await described(answerer));
    const told = { offerer: 0, answerer: 0 };
    for (const end = Date.now() + CALL_MS; Date.now() < end; await sleep(WAIT.interval)) {
      const [offered, answered] = [await offerer.report(), await answerer.report()];
      if (offered.fingerprints !== null && answered.fingerprints !== null) return { offerer, answerer };
      if (offered.closed.length + answered.closed.length > 0) break;
      await answerer.addCandidates(offered.candidates.slice(told.offerer));
      await offerer.addCandidates(answered.candidates.slice(told.answerer));
      Object.assign(told, { offerer: offered.candidates.length, answerer: answered.candidates.length });
    }
    await Promise.all([offerer.close(), answerer.close()]);
    return null;
  }

  /** Connects, as a client does that dials again. */
  async function connect(...ends: Parameters<typeof attempt>): Promise<{ offerer: End; answerer: End }> {
    for (let attempts = 0; attempts < 3; attempts += 1) {
      const connected = await attempt(...ends);
      if (connected !== null) return connected;
    }
    throw new Error('three attempts in a row have failed');
  }

  test.each([
    ['web', 'node', 'client'],
    ['web', 'node', 'server'],
    ['node', 'web', 'client'],
    ['node', 'web', 'server'],
    ['web', 'web', 'client'],
    ['web', 'web', 'server'],
  ] as const)('with the offer from %s, the answer from %s and the answerer as DTLS %s: both see the same certificates and 1,000 frames in order', async (offering, answering, dtls) => {
    const { offerer, answerer } = await connect(offering, answering, dtls);
    const [offered, answered] = [await offerer.report(), await answerer.report()];
    expect(answered.description?.setup).toBe(dtls === 'client' ? 'active' : 'passive');
    expect(offered.fingerprints?.local).toEqual(offered.description?.fingerprint);
    expect(offered.fingerprints?.remote).toEqual(answered.description?.fingerprint);
    expect(answered.fingerprints).toEqual({ local: offered.fingerprints?.remote, remote: offered.fingerprints?.local });

    await Promise.all([offerer.send(1_000, 500), answerer.send(1_000, 700)]);
    await vi.waitFor(async () => expect([(await offerer.report()).frames.length, (await answerer.report()).frames.length]).toEqual([1_000, 1_000]), WAIT);
    expect((await answerer.report()).frames).toEqual(Array.from({ length: 1_000 }, (_, number) => [500, number % 256]));
    expect((await offerer.report()).frames).toEqual(Array.from({ length: 1_000 }, (_, number) => [700, number % 256]));

    expect(await offerer.send(1, 262_144)).toEqual([false]);
    await vi.waitFor(async () => expect(await offerer.rttMs()).toBeGreaterThan(0), WAIT);
    expect((await answerer.pair())?.local).toMatch(/:[0-9]+ (host|prflx)$/);

    await answerer.close();
    // The goodbye is one datagram, which may be lost: then the silence tells.
    await vi.waitFor(async () => expect([(await offerer.report()).closed, (await answerer.report()).closed]).toEqual([[expect.stringMatching(/^(left|silent)$/)], ['closed']]), WAIT);
    expect(await offerer.send(1, 1)).toEqual([false]);
  });

  test('that does not tell which pair it uses, as Firefox before 154, opens all the same', async () => {
    await page.evaluate(`(() => {
      globalThis.tell = RTCIceTransport.prototype.getSelectedCandidatePair;
      delete RTCIceTransport.prototype.getSelectedCandidatePair;
    })()`);
    const { offerer, answerer } = await connect('web', 'node', 'client');
    expect(await offerer.pair()).toBeNull();
    await Promise.all([offerer.close(), answerer.close()]);
    await page.evaluate('RTCIceTransport.prototype.getSelectedCandidatePair = tell');
  });

  test('does not open to another certificate than the description names', async () => {
    const [offerer, answerer] = [await openers.web('offerer'), await openers.node('answerer')];
    const offer = await described(offerer);
    await answerer.setRemote(offer);
    const answer = await described(answerer);
    await offerer.setRemote({ ...answer, description: answer.description && { ...answer.description, fingerprint: Array<number>(32).fill(9) } });
    await vi.waitFor(async () => expect((await offerer.report()).closed).toEqual(['failed']), WAIT);
    expect((await offerer.report()).fingerprints).toBeNull();
    await answerer.close();
  });
});
