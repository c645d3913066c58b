// What an operator sees of a relay that runs: readiness, metrics, the status page, and a certificate that is renewed under it.

import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, renameSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { chromium } from 'playwright-core';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { ready } from '../../crypto/sodium.js';
import { History } from '../../relay/history.js';
import { CHROMIUM, hasChromium } from '../support/chromium.js';
import { newMailbox, put, random, temporaryFolder, TestClient, testRelay } from './support.js';

beforeAll(ready);

const PATIENCE = { timeout: 60_000, interval: 50 };
const METRICS = { host: '127.0.0.1', port: 0, orAny: false };
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

/** A certificate for 127.0.0.1 that signs itself. */
function certificate(folder: string, name: string): { readonly certFile: string; readonly keyFile: string } {
  const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-keyout', keyFile, '-out', certFile, ...subject], { stdio: 'ignore' });
  return { certFile, keyFile };
}

/** Of "rgb(1, 2, 3)", from 0 to 765. */
function brightness(colour: string): number {
  return colour.match(/\d+/g)!.slice(0, 3).reduce((total, part) => total + Number(part), 0);
}

function nameServed(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    }).on('error', reject);
  });
}

describe('health and readiness', () => {
  test('a relay is ready, and is not while it is short of disk, though healthy; what was accepted goes on', async () => {
    const relay = await testRelay();
    const base = `http://127.0.0.1:${relay.port}`;
    expect(await (await fetch(`${base}/ready`)).json()).toEqual({ status: 'ready', problems: [] });
    const short = await testRelay({ diskReserveBytes: Number.MAX_SAFE_INTEGER });
    const response = await fetch(`http://127.0.0.1:${short.port}/ready`);
    expect([response.status, await response.json()]).toEqual([503, { status: 'not ready', problems: ['short of disk'] }]);
    expect((await fetch(`http://127.0.0.1:${short.port}/health`)).status).toBe(200);
    const owner = await TestClient.connect(short.port, 'collect');
    expect(await owner.collect(newMailbox())).toBe('relay-busy');
  });

  test('a relay with too little memory takes nothing new', async () => {
    const { port } = await testRelay({ memoryMaxBytes: 1 });
    expect(await (await fetch(`http://127.0.0.1:${port}/ready`)).json()).toMatchObject({ problems: ['short of memory'] });
  });
});

describe('metrics', () => {
  test('count what happened on a port of their own, and hold nothing of a client', async () => {
    const relay = await testRelay({ metrics: METRICS, version: '1.2.3' });
    const [owner, sender] = await Promise.all([TestClient.connect(relay.port, 'collect'), TestClient.connect(relay.port, 'deposit')]);
    const mailbox = newMailbox();
    await owner.collect(mailbox);
    await sender.try(put(mailbox, random(100)));
    await sender.try(put({ ...mailbox, token: random(16) }, random(100)));
    await fetch(`http://127.0.0.1:${relay.port}/metrics`).then(({ status }) => expect(status).toBe(404));
    const text = await (await fetch(`http://127.0.0.1:${relay.metricsPort}/metrics`)).text();
    for (const line of [
      'sotto_connections 2', 'sotto_store_mailboxes 1', 'sotto_store_envelopes 1', 'sotto_store_bytes 100', 'sotto_short_of_disk 0', 'sotto_build_info{version="1.2.3"} 1',
      'sotto_operations_total{operation="put",outcome="done"} 1', 'sotto_operations_total{operation="put",outcome="token-wrong"} 1',
    ]) expect(text.split('\n')).toContain(line);
    expect(text).toMatch(/sotto_group_seconds_count [1-9]/);
    for (const secret of [toHex(mailbox.mailbox), toHex(mailbox.token), '127.0.0.1', owner.socket.url]) expect(text).not.toContain(secret);
    expect(new Set([...text.matchAll(/\b(\w+)="/g)].map(([, label]) => label))).not.toContain('address');
  });

  test('the status page shows the same numbers without a script', async () => {
    const relay = await testRelay({ metrics: METRICS });
    await TestClient.connect(relay.port, 'collect');
    const response = await fetch(`http://127.0.0.1:${relay.metricsPort}/`);
    const page = await response.text();
    expect(page).toContain('The relay is ready');
    expect(page).toContain('<b>1</b> of 50,000');
    expect(page).not.toMatch(/<script|src=|href=/);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect((await fetch(`http://127.0.0.1:${relay.metricsPort}/x`)).status).toBe(404);
  });

  test('the status page tells what was taken, refused, and how soon it was on the disk', async () => {
    const relay = await testRelay({ metrics: METRICS });
    const [owner, sender, mailbox] = [await TestClient.connect(relay.port, 'collect'), await TestClient.connect(relay.port, 'deposit'), newMailbox()];
    const page = async (): Promise<string> => (await fetch(`http://127.0.0.1:${relay.metricsPort}/`)).text();
    expect(await page()).toContain('nothing since the start');
    await owner.collect(mailbox);
    for (let number = 0; number < 3; number += 1) await sender.try(put(mailbox, random(10)));
    for (let number = 0; number < 2; number += 1) await sender.try(put(newMailbox(), random(10)));
    await sender.try(put({ ...mailbox, token: random(16) }, random(10)));
    const after = await page();
    expect(after).toContain('<b>3</b> since the start');
    expect(after).toContain('2 mailbox-unknown, 1 token-wrong');
    expect(after).toMatch(/99 of 100 times within \d+(\.\d+)? ms/);
  });

  test('the last hour is remembered and no more of it, as what each look adds', async () => {
    let taken = 0;
    const history = new History(async () => ({ connections: taken % 7, taken }));
    onTestFinished(() => history.stop());
    for (let look = 1; look <= 200; look += 1) {
      taken += look;
      await history.look();
    }
    expect(history.looks.map((each) => each.taken)).toEqual(Array.from({ length: 180 }, (_, index) => index + 21));
  });

  test.skipIf(!hasChromium)('the status page fits a telephone, dark or light, and breaks none of its own rules', async () => {
    const relay = await testRelay({ metrics: METRICS });
    const browser = await chromium.launch(CHROMIUM);
    try {
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await (await browser.newContext({ colorScheme, viewport: { width: 360, height: 700 } })).newPage();
        const complaints: string[] = [];
        page.on('console', (message) => complaints.push(message.text()));
        await page.goto(`http://127.0.0.1:${relay.metricsPort}/`);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
        const [ink, ground] = await page.evaluate('[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]') as [string, string];
        expect(brightness(ink) > brightness(ground)).toBe(colorScheme === 'dark');
        expect(complaints.filter((text) => !text.includes('favicon'))).toEqual([]);
      }
    } finally {
      await browser.close();
    }
  });

  test('a port that nobody chose may be another one, and one that somebody chose may not', async () => {
    const { metricsPort } = await testRelay({ metrics: METRICS });
    const other = await testRelay({ metrics: { host: '127.0.0.1', port: metricsPort!, orAny: true } });
    expect(other.metricsPort).not.toBe(metricsPort);
    await expect(testRelay({ metrics: { host: '127.0.0.1', port: metricsPort!, orAny: false } })).rejects.toMatchObject({ code: 'port-in-use' });
  });
});

describe.skipIf(!hasOpenssl)('TLS', () => {
  test('serves HTTP and WebSocket with the operator’s files, and others as soon as these change', async () => {
    const folder = temporaryFolder();
    const tls = certificate(folder, 'first');
    const logged: string[] = [];
    const log = { info: (_: object, text: string) => logged.push(text), warn: () => {}, error: (_: object, text: string) => logged.push(text) };
    const relay = await testRelay({ tls, log });
    const status = await new Promise((resolve) => request({ port: relay.port, host: '127.0.0.1', path: '/health', ca: readFileSync(tls.certFile) }, ({ statusCode }) => resolve(statusCode)).end());
    expect([status, await nameServed(relay.port)]).toEqual([200, 'first']);

    renameSync(tls.keyFile, join(folder, 'away'));
    await vi.waitFor(() => expect(logged).toEqual(['the new certificate cannot be read, the old one stays']), PATIENCE);
    expect(await nameServed(relay.port)).toBe('first');

    const next = certificate(folder, 'second');
    renameSync(next.keyFile, tls.keyFile);
    renameSync(next.certFile, tls.certFile);
    await vi.waitFor(async () => expect(await nameServed(relay.port)).toBe('second'), PATIENCE);
    expect(logged.at(-1)).toBe('the certificate was read again');
  });

  test('files that are no certificate and key are refused before anything is opened', async () => {
    const { certFile } = certificate(temporaryFolder(), 'wrong');
    await expect(testRelay({ tls: { certFile, keyFile: certFile } })).rejects.toMatchObject({ code: 'option-invalid' });
    await expect(testRelay({ tls: { certFile: '/nowhere', keyFile: '/nowhere' } })).rejects.toMatchObject({ code: 'option-invalid' });
  });
});
