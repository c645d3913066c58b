// The whole client in a real Chromium, bundled as any page would bundle it and under the policy that a relay's page will have: its
// home on OPFS, a real relay, and Node's client as the contact. The tests are one story; each goes on where the last one ended.

import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { build, createLogger } from 'vite';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Client, ClientEvent, MessageView } from '../../client/client.js';
import { createKey, homeFiles, prepareHome } from '../../client/home.js';
import { openHome } from '../../client/node.js';
import { openNodeStore } from '../../client/stores/node.js';
import { toHex } from '../../crypto/bytes.js';
import { createIdentity, identityId, packIdentity, type Identity } from '../../crypto/identity.js';
import { ready } from '../../crypto/sodium.js';
import { startRelay, type RunningRelay } from '../../relay/run.js';
import { CHROMIUM, hasChromium } from '../support/chromium.js';

const WAIT = { timeout: 60_000, interval: 20 };
/** After calls that failed or were cut soon, the next is 30 s away. */
const WAIT_FOR_CALL = { timeout: 150_000, interval: 20 };
const DELIVERED = { wait: 'delivered', timeoutMs: WAIT.timeout } as const;
const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws://127.0.0.1:*; worker-src 'self'";
const PAGE = '<!doctype html><meta charset="utf-8"><title>Sotto</title><script type="module" src="/entry.js"></script>';
const KEY = [...randomBytes(32)];
const METHODS = ['invite', 'accept', 'contacts', 'send', 'history', 'status', 'verify', 'close'] as const;

type Method = typeof METHODS[number];

/** Somebody's client and all that it has told. */
interface Person {
  readonly client: Pick<Client, Method>;
  readonly events: ClientEvent[];
}

const shown = ({ events }: Person): string[] => events.flatMap((event) => (event.type === 'message' ? [event.message.text] : []));
const content = (messages: readonly MessageView[]): unknown[] => messages.map(({ id, direction, text, position }) => ({ id, direction, text, position }));
const historyOf = (person: Person, contact: string): Promise<readonly MessageView[]> => person.client.history(contact, { limit: 1_000 });

describe.skipIf(!hasChromium)('the client in a browser (skipped where there is no Chromium)', () => {
  /** What the bundler and the pages have complained of. */
  const complaints: string[] = [];
  /** What every page has told, one after the other. */
  const told: ClientEvent[] = [];
  let folder: string;
  let relay: RunningRelay;
  let relayUrl: string;
  let server: Server;
  let browser: BrowserContext;
  let page: Page;
  let ann: Person;
  let bob: Person;
  let carol: Person;

  beforeAll(async () => {
    await ready();
    folder = mkdtempSync(join(tmpdir(), 'sotto-web-'));
    relay = await startRelay({ host: '127.0.0.1', port: 0, stunPort: 0, data: join(folder, 'relay') });
    relayUrl = `http://127.0.0.1:${relay.port}`;
    await bundle(join(folder, 'page'), (complaint) => complaints.push(complaint));
    server = await serve(join(folder, 'page'));
    await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await Promise.all([bob?.client.close(), carol?.client.close()]);
    server?.close();
    await relay?.close();
    // Processes of the browser write on for a moment when it has closed.
    await rm(folder, { recursive: true, maxRetries: 20 });
  });

  async function startBrowser(): Promise<void> {
    browser = await chromium.launchPersistentContext(join(folder, 'browser'), CHROMIUM);
    browser.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())));
    browser.on('weberror', (error) => complaints.push(error.error().message));
    await browser.exposeFunction('tell', (event: ClientEvent) => void told.push(event));
    page = await openPage();
    ann = { client: inPage(page), events: told };
  }

  async function openPage(): Promise<Page> {
    const opened = await browser.newPage();
    await opened.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    return opened;
  }

  /** Opens Ann's home in a page; resolves with the code of the error, or null. */
  function openIn(where: Page): Promise<string | null> {
    return where.evaluate(([key, relayOfAnn]) => sotto.open('ann', key, { name: 'Ann', relay: relayOfAnn }), [KEY, relayUrl] as const);
  }

  /** A person in Node whose identity is lower or higher than Ann's: the lower one dials. */
  async function openFriend(name: string, side: 'lower' | 'higher'): Promise<Person> {
    const home = join(folder, name);
    prepareHome(home);
    const { identity: { id } } = await ann.client.status();
    let identity: Identity;
    do identity = createIdentity((length) => randomBytes(length));
    while (toHex(identityId(identity)) < id !== (side === 'lower'));
    const store = await openNodeStore(homeFiles(home).store, await createKey(home, null));
    await store.create({ name, relay: relayUrl, identity: packIdentity(identity), devices: new Uint8Array(), createdAt: Date.now(), position: 0 });
    await store.close();
    const client = await openHome(home, { passphrase: null, mode: 'live' });
    const events: ClientEvent[] = [];
    client.subscribe((event) => events.push(event));
    return { client, events };
  }

  /** Sends each way, one after the other, and waits until both are delivered and shown. */
  async function talk(friend: Person, name: string, words: string): Promise<MessageView[]> {
    const texts = [`${words}, says Ann`, `${words}, says ${name}`] as const;
    const sent = [await ann.client.send(name, texts[0], DELIVERED), await friend.client.send('Ann', texts[1], DELIVERED)];
    expect(sent.map(({ state }) => state)).toEqual(['delivered', 'delivered']);
    await vi.waitFor(() => expect([shown(friend).at(-1), shown(ann).at(-1)]).toEqual(texts), WAIT);
    return sent;
  }

  /** Waits until both use the direct path, and talks over it. */
  async function talkDirectly(friend: Person, name: string): Promise<void> {
    await vi.waitFor(async () => {
      const paths = [await ann.client.status(), await friend.client.status()].map(({ contacts }) => contacts.find((contact) => [name, 'Ann'].includes(contact.name)));
      expect(paths).toMatchObject([{ path: 'direct' }, { path: 'direct' }]);
    }, WAIT_FOR_CALL);
    const sent = await talk(friend, name, 'directly');
    expect(sent.map(({ path }) => path)).toEqual(['direct', 'direct']);
  }

  test('makes an identity, in a store that a Worker keeps on OPFS', async () => {
    expect(complaints).toEqual([]);
    expect(await openIn(page)).toBeNull();
    expect(page.workers()).toHaveLength(1);
    await vi.waitFor(async () => expect(await ann.client.status()).toMatchObject({ identity: { name: 'Ann' }, relays: [{ url: relayUrl, online: true }] }), WAIT);
  });

  test('accepts an invitation from Node, and messages are delivered both ways', async () => {
    bob = await openFriend('Bob', 'lower');
    expect((await ann.client.accept((await bob.client.invite()).link)).contact.name).toBe('Bob');
    await talk(bob, 'Bob', 'hello');
    const [mine, his] = [await ann.client.verify('Bob'), await bob.client.verify('Ann')];
    expect(mine.number).toBe(his.number);
  });

  test('is dialed by Node, and messages are delivered both ways over the direct path', async () => {
    await talkDirectly(bob, 'Bob');
  });

  test('tells a second tab that the home is in use, and works on in the first', async () => {
    const second = await openPage();
    expect(await openIn(second)).toBe('home-in-use');
    await second.close();
    await talk(bob, 'Bob', 'still here');
  });

  test('loses and doubles nothing when the page is reloaded while messages come, and goes direct again', async () => {
    const before = content(await historyOf(ann, 'Bob'));
    const texts = Array.from({ length: 40 }, (_, number) => `burst ${number}`);
    const sending = Promise.all(texts.map((text) => bob.client.send('Ann', text, DELIVERED)));
    await vi.waitFor(() => expect(shown(ann)).toContain('burst 3'), WAIT);
    await page.reload();
    expect(await openIn(page)).toBeNull();
    expect((await sending).map(({ state }) => state)).toEqual(texts.map(() => 'delivered'));
    expect((await ann.client.contacts()).map(({ name }) => name)).toEqual(['Bob']);
    const after = await historyOf(ann, 'Bob');
    expect(content(after).slice(0, before.length)).toEqual(before);
    expect(after.slice(before.length).map(({ text }) => text)).toEqual(texts);
    await talkDirectly(bob, 'Bob');
  });

  test('invites somebody in Node, dials, and messages are delivered both ways over the direct path', async () => {
    const { link } = await ann.client.invite();
    carol = await openFriend('Carol', 'higher');
    expect((await carol.client.accept(link)).contact.name).toBe('Ann');
    await vi.waitFor(async () => expect((await ann.client.contacts()).map(({ name }) => name)).toEqual(['Bob', 'Carol']), WAIT);
    await talk(carol, 'Carol', 'hello');
    await talkDirectly(carol, 'Carol');
  });

  test('keeps files in which no text, name, id or key can be read', async () => {
    const { identity, contacts } = await ann.client.status();
    const texts = ['hello, says', 'burst 3', 'Carol', relayUrl, 'CREATE TABLE', identity.id, ...contacts.map(({ id }) => id), toHex(Uint8Array.from(KEY))];
    const secrets = [
      ...texts.flatMap((text) => [Buffer.from(text, 'utf8'), Buffer.from(text, 'utf16le')]),
      ...[identity, ...contacts].map(({ id }) => Buffer.from(id, 'hex')),
      Buffer.from(KEY),
    ];
    await ann.client.close();
    const files = await page.evaluate(() => sotto.files());
    const bytes = Buffer.from(files.map((file) => file.content).join(''), 'hex');
    expect(files.map(({ path }) => path)).not.toEqual([]);
    expect(bytes.length).toBeGreaterThan(50_000);
    expect(secrets.filter((secret) => bytes.includes(secret))).toEqual([]);
  });

  test('finds everything again when the browser was closed and started anew, and gets what came meanwhile once', async () => {
    const shownBefore = shown(ann).length;
    await browser.close();
    const texts = ['are you there?', 'come back!'];
    for (const text of texts) expect(await bob.client.send('Ann', text, { wait: 'accepted', timeoutMs: WAIT.timeout })).toMatchObject({ state: 'accepted', path: 'relay' });
    await startBrowser();
    expect(await openIn(page)).toBeNull();
    expect((await ann.client.contacts()).map(({ name }) => name)).toEqual(['Bob', 'Carol']);
    await vi.waitFor(() => expect(shown(ann).slice(shownBefore)).toEqual(texts), WAIT);
    await talkDirectly(bob, 'Bob');
    await talkDirectly(carol, 'Carol');
  });

  test('has the same history as Node, has shown nothing twice, and has broken no rule of its page', async () => {
    for (const [friend, name] of [[bob, 'Bob'], [carol, 'Carol']] as const) {
      const [mine, theirs] = [await historyOf(ann, name), await historyOf(friend, 'Ann')];
      expect(mine.map(({ id, text }) => ({ id, text }))).toEqual(theirs.map(({ id, text }) => ({ id, text })));
      expect(mine.map(({ direction }) => direction)).toEqual(theirs.map(({ direction }) => (direction === 'in' ? 'out' : 'in')));
    }
    const ids = told.flatMap((event) => (event.type === 'message' ? [event.message.id] : []));
    expect(ids).toHaveLength(new Set(ids).size);
    expect(complaints).toEqual([]);
  });
});

/** The page's client as Node calls it: arguments and results are JSON by the contract of Client. */
function inPage(page: Page): Pick<Client, Method> {
  const call = (method: Method) => (...given: unknown[]) => page.evaluate(([called, values]) => sotto.call(called, values), [method, given] as const);
  return Object.fromEntries(METHODS.map((method) => [method, call(method)])) as unknown as Pick<Client, Method>;
}

/** Builds the page's script into a folder, and tells of everything in it that a browser will not have. */
async function bundle(outDir: string, complain: (text: string) => void): Promise<void> {
  await build({
    configFile: false,
    customLogger: { ...createLogger('silent'), warn: complain, warnOnce: complain, error: complain },
    worker: { format: 'es' },
    build: {
      outDir,
      emptyOutDir: true,
      chunkSizeWarningLimit: 1_000,
      rolldownOptions: {
        input: 'test/support/web-entry.ts',
        output: { entryFileNames: 'entry.js' },
      },
    },
  });
}

async function serve(folder: string): Promise<Server> {
  const app = express();
  app.use((_, response, next) => {
    response.set('Content-Security-Policy', POLICY);
    next();
  });
  app.get('/', (_, response) => void response.type('html').send(PAGE));
  app.get('/favicon.ico', (_, response) => void response.status(204).end());
  app.use(express.static(folder));
  const server = createServer(app);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return server;
}
