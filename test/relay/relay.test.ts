// A whole relay over real sockets on 127.0.0.1.

import { createConnection } from 'node:net';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { ready } from '../../crypto/sodium.js';
import { WINDOW_ENVELOPES } from '../../relay/core/collections.js';
import { LIMITS } from '../../relay/core/limits.js';
import { COLLECT_PATH, DEPOSIT_PATH, FRAME_MAX_BYTES } from '../../relay/wire/limits.js';
import { acknowledge, collect, newMailbox, put, random, temporaryFolder, TestClient, testRelay, type Mailbox } from './support.js';

beforeAll(ready);

async function pair(options = {}) {
  const relay = await testRelay(options);
  const [owner, sender] = await Promise.all([TestClient.connect(relay.port, 'collect'), TestClient.connect(relay.port, 'deposit')]);
  return { relay, owner, sender };
}

async function collecting(owner: TestClient): Promise<Mailbox> {
  const mailbox = newMailbox();
  expect(await owner.collect(mailbox)).toBe('done');
  return mailbox;
}

/** A mailbox that nobody collects, full of envelopes that live for one second. */
async function fullForASecond(owner: TestClient, sender: TestClient): Promise<Mailbox> {
  const mailbox = await collecting(owner);
  owner.socket.terminate();
  await owner.closed;
  const outcomes = await Promise.all(Array.from({ length: LIMITS.mailboxEnvelopes }, () => sender.try(put(mailbox, random(8), 1))));
  expect(new Set(outcomes)).toEqual(new Set(['done']));
  return mailbox;
}

async function canPutAgain(port: number, mailbox: Mailbox): Promise<void> {
  const sender = await TestClient.connect(port, 'deposit');
  await vi.waitFor(async () => expect(await sender.try(put(mailbox, random(9), 60))).toBe('done'), { timeout: 60_000, interval: 100 });
}

const bytes = (data: Uint8Array) => Buffer.from(data);

describe('envelopes', () => {
  test('an envelope put is delivered as it was, and gone when it is acknowledged', async () => {
    const { relay, owner, sender } = await pair();
    const mailbox = await collecting(owner);
    const envelope = random(2_048);
    expect(await sender.try(put(mailbox, envelope))).toBe('done');
    const [delivery] = await owner.deliveries(1);
    expect(bytes(delivery!.envelope).equals(envelope)).toBe(true);
    expect(bytes(delivery!.mailbox).equals(mailbox.mailbox)).toBe(true);

    const second = await TestClient.connect(relay.port, 'collect');
    await second.collect(mailbox);
    const [again] = await second.deliveries(1);
    expect(again!.sequence).toBe(delivery!.sequence);
    expect(await second.try(acknowledge(mailbox, again!.sequence))).toBe('done');

    const third = await TestClient.connect(relay.port, 'collect');
    await third.collect(mailbox);
    await third.ask({ case: 'ping', value: {} });
    expect(third.waiting).toBe(0);
  });

  test('a full mailbox drains in order through the window while it is acknowledged', async () => {
    const { owner, sender } = await pair();
    const mailbox = newMailbox();
    await (await TestClient.connect(Number(new URL(owner.socket.url).port), 'collect')).collect(mailbox);
    const outcomes = await Promise.all(Array.from({ length: 1_000 }, (_, index) => sender.try(put(mailbox, Uint8Array.of(index >> 8, index & 0xff)))));
    expect(new Set(outcomes)).toEqual(new Set(['done']));
    expect(await sender.try(put(mailbox, random(3), 3_600))).toBe('mailbox-full');

    await owner.collect(mailbox);
    for (let received = 0; received < 1_000; received += 100) {
      const deliveries = await owner.deliveries(100);
      expect(deliveries.map(({ envelope }) => (envelope[0]! << 8) | envelope[1]!)).toEqual(Array.from({ length: 100 }, (_, index) => received + index));
      expect(await owner.try(acknowledge(mailbox, ...deliveries.map(({ sequence }) => sequence)))).toBe('done');
    }
    expect(await sender.try(put(mailbox, random(3)))).toBe('done');
  });

  test('largest envelopes get through in both directions of pressure', async () => {
    const { owner, sender } = await pair();
    const mailbox = await collecting(owner);
    const envelopes = Array.from({ length: 60 }, () => random(65_536));
    const puts = Promise.all(envelopes.map((envelope) => sender.try(put(mailbox, envelope))));
    for (const envelope of envelopes) {
      const [delivery] = await owner.deliveries(1);
      expect(bytes(delivery!.envelope).equals(envelope)).toBe(true);
      expect(await owner.try(acknowledge(mailbox, delivery!.sequence))).toBe('done');
    }
    expect(new Set(await puts)).toEqual(new Set(['done']));
  });

  test('the same envelope put twice is delivered once', async () => {
    const { owner, sender } = await pair();
    const mailbox = await collecting(owner);
    const envelope = random(512);
    expect(await Promise.all([sender.try(put(mailbox, envelope)), sender.try(put(mailbox, envelope))])).toEqual(['done', 'done']);
    expect(await sender.try(put(mailbox, random(3)))).toBe('done');
    expect((await owner.deliveries(2)).map(({ envelope: { length } }) => length)).toEqual([512, 3]);
    await owner.ask({ case: 'ping', value: {} });
    expect(owner.waiting).toBe(0);
  });

  test('an envelope is not delivered after its time, and the relay sweeps it away by itself', async () => {
    const { relay, owner, sender } = await pair();
    const mailbox = await fullForASecond(owner, sender);
    await canPutAgain(relay.port, mailbox);
    // The last of them were put later than the first, on a slow machine by more than their second.
    await vi.waitFor(async () => {
      const later = await TestClient.connect(relay.port, 'collect');
      await later.collect(mailbox);
      const [delivery] = await later.deliveries(1);
      expect(delivery!.envelope).toHaveLength(9);
    }, { timeout: 60_000, interval: 100 });
  });

  test('what expired while the relay was away is swept when it is back', async () => {
    const data = temporaryFolder();
    const { relay, owner, sender } = await pair({ data });
    const mailbox = await fullForASecond(owner, sender);
    await relay.close();
    await canPutAgain((await testRelay({ data })).port, mailbox);
  });

  test('unknown mailbox, wrong token, and a mailbox that was closed are refused by their codes', async () => {
    const { owner, sender } = await pair();
    const mailbox = await collecting(owner);
    expect(await sender.try(put(newMailbox(), random(5)))).toBe('mailbox-unknown');
    expect(await sender.try(put({ ...mailbox, token: random(16) }, random(5)))).toBe('token-wrong');
    expect(await owner.try({ case: 'close', value: { mailbox: mailbox.mailbox } })).toBe('done');
    expect(await sender.try(put(mailbox, random(5)))).toBe('mailbox-unknown');
  });
});

describe('ownership', () => {
  test('a mailbox of another key is taken, whoever signs for it', async () => {
    const { owner, relay } = await pair();
    const mailbox = await collecting(owner);
    const thief = await TestClient.connect(relay.port, 'collect');
    expect(await thief.collect({ ...newMailbox(), mailbox: mailbox.mailbox })).toBe('mailbox-taken');
  });

  test('a signature made for another connection’s challenge is refused', async () => {
    const { owner, relay } = await pair();
    const mailbox = await collecting(owner);
    const replay = collect(mailbox, (await owner.welcome).challenge);
    const thief = await TestClient.connect(relay.port, 'collect');
    expect(await thief.try(replay)).toBe('signature-wrong');
  });

  test('a later Collect takes the mailbox over, and only it receives from then on', async () => {
    const { owner, sender, relay } = await pair();
    const [mailbox, other] = [await collecting(owner), await collecting(owner)];
    const later = await TestClient.connect(relay.port, 'collect');
    expect(await later.collect(mailbox)).toBe('done');
    expect(await sender.try(put(mailbox, random(5)))).toBe('done');
    await later.deliveries(1);
    expect(await owner.try(acknowledge(mailbox, 1))).toBe('not-collecting');
    expect(owner.waiting).toBe(0);
    expect(await later.collect(other)).toBe('done');
    expect(await owner.closed).toBe('replaced');
  });
});

test('a card is for the first claim alone, which may come again', async () => {
  const { owner, sender } = await pair();
  const [lookup, card, claim] = [random(16), random(2_088), random(16)];
  const take = (by: Uint8Array) => sender.ask({ case: 'takeCard', value: { lookup, claim: by } });
  expect(await take(claim)).toMatchObject({ case: 'refused', value: { code: 'card-unknown' } });
  expect(await owner.try({ case: 'putCard', value: { lookup, card, ttlSeconds: 60 } })).toBe('done');
  for (let again = 0; again < 2; again += 1) {
    const taken = await take(claim);
    expect(taken.case === 'card' && bytes(taken.value.card).equals(card)).toBe(true);
  }
  expect(await take(random(16))).toMatchObject({ case: 'refused', value: { code: 'card-taken' } });
});

test('a reusable card is for every claim', async () => {
  const { owner, sender } = await pair();
  const [lookup, card] = [random(16), random(2_088)];
  expect(await owner.try({ case: 'putCard', value: { lookup, card, ttlSeconds: 36 * 86_400, reusable: true } })).toBe('done');
  for (let guest = 0; guest < 3; guest += 1) {
    const taken = await sender.ask({ case: 'takeCard', value: { lookup, claim: random(16) } });
    expect(taken.case === 'card' && bytes(taken.value.card).equals(card)).toBe(true);
  }
});

describe('connections', () => {
  test('Welcome names the STUN port and a challenge that no other connection gets', async () => {
    const { relay, owner, sender } = await pair();
    const [first, second] = [await owner.welcome, await sender.welcome];
    expect(first).toMatchObject({ version: 1, stunPort: relay.stunPort });
    expect(bytes(first.challenge).equals(second.challenge)).toBe(false);
  });

  test('only the two paths are WebSockets', async () => {
    const relay = await testRelay();
    for (const path of ['/', '/v1/collect/', '/v1/Collect', '/v2/collect', `${DEPOSIT_PATH}?x`, '/__proto__']) {
      const socket = new WebSocket(`ws://127.0.0.1:${relay.port}${path}`);
      const refusal = await new Promise<Error>((resolve) => socket.once('error', resolve));
      expect(refusal.message).toContain('404');
    }
  });

  test('a text, a frame that is too large, and noise end a connection and no other', async () => {
    const { relay, owner } = await pair();
    for (const message of ['a text', random(FRAME_MAX_BYTES + 1), Uint8Array.of(0xff), new Uint8Array(0)]) {
      const client = await TestClient.connect(relay.port, 'deposit');
      client.socket.send(message);
      expect(['frame-malformed', '']).toContain(await client.closed);
    }
    expect(await owner.try({ case: 'ping', value: {} })).toBe('done');
  });

  test('a connection that is cut in the middle of a frame harms nobody', async () => {
    const { relay, owner } = await pair();
    const socket = createConnection(relay.port, '127.0.0.1');
    socket.write(`GET ${COLLECT_PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.write(Buffer.from('82fe0400', 'hex'));
    socket.resetAndDestroy();
    expect(await owner.try({ case: 'ping', value: {} })).toBe('done');
  });
});

describe('starting and closing', () => {
  test('a relay that closes answers what it has read, says goodbye, and has kept everything it said Done to', async () => {
    const data = temporaryFolder();
    const { relay, owner, sender } = await pair({ data });
    const mailbox = await collecting(owner);
    owner.socket.terminate();
    const puts = Array.from({ length: WINDOW_ENVELOPES }, (_, index) => sender.try(put(mailbox, Uint8Array.of(index >> 8, index & 0xff))).catch(() => 'closed'));
    await puts[0];
    await relay.close();
    expect(await sender.closed).toBe('relay-closing');
    const accepted = (await Promise.all(puts)).filter((outcome) => outcome === 'done').length;
    expect(accepted).toBeGreaterThan(0);

    const next = await testRelay({ data });
    const later = await TestClient.connect(next.port, 'collect');
    const collected = await later.ask(collect(mailbox, (await later.welcome).challenge));
    expect(collected).toMatchObject({ case: 'done', value: { waiting: accepted } });
    const deliveries = await later.deliveries(accepted);
    expect(deliveries.map(({ envelope }) => (envelope[0]! << 8) | envelope[1]!)).toEqual(Array.from({ length: accepted }, (_, index) => index));
  });

  test('a client that does not answer the goodbye does not keep the relay from closing', async () => {
    const { relay, owner } = await pair();
    owner.socket.pause();
    await relay.close();
  });

  test('a taken port, a folder in use and a foreign host are refused by their codes', async () => {
    const data = temporaryFolder();
    const relay = await testRelay({ data });
    await expect(testRelay({ port: relay.port })).rejects.toMatchObject({ code: 'port-in-use' });
    await expect(testRelay({ data })).rejects.toMatchObject({ code: 'data-in-use' });
    await expect(testRelay({ host: '192.0.2.1' })).rejects.toMatchObject({ code: 'option-invalid' });
    await expect(testRelay({ data: join(import.meta.filename, 'x') })).rejects.toMatchObject({ code: 'store-failed' });
    expect((await fetch(`http://127.0.0.1:${relay.port}/health`)).status).toBe(200);
  });

  test('a start that failed leaves its folder free', async () => {
    const data = temporaryFolder();
    const other = await testRelay();
    await expect(testRelay({ data, port: other.port })).rejects.toMatchObject({ code: 'port-in-use' });
    await testRelay({ data });
  });

  test('a new data folder is for its owner alone', async () => {
    const data = join(temporaryFolder(), 'a', 'b');
    await testRelay({ data });
    expect(statSync(data).mode & 0o777).toBe(process.platform === 'win32' ? 0o666 : 0o700);
  });
});

describe('what a relay shows', () => {
  test('health is JSON, and the page of a link needs no script and loads nothing', async () => {
    const relay = await testRelay();
    const base = `http://127.0.0.1:${relay.port}`;
    expect(await (await fetch(`${base}/health`)).json()).toEqual({ status: 'ok' });
    for (const [path, words] of [['/', 'works once'], ['/i', 'works once'], ['/a', 'until they approve it']] as const) {
      const response = await fetch(base + path);
      const page = await response.text();
      expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none';style-src 'sha256-[^']+'/);
      expect(page).toContain('sotto accept');
      expect(page).toContain(words);
      expect(page).not.toMatch(/<script|src=|href=|@import|url\(/);
    }
    const missing = await fetch(`${base}/<b>x`);
    expect([missing.status, await missing.text()]).toEqual([404, 'Not found\n']);
  });

  test('the store’s files hold no token and no client address', async () => {
    const data = temporaryFolder();
    const { relay, owner, sender } = await pair({ data });
    const mailbox = await collecting(owner);
    expect(await sender.try(put(mailbox, random(100)))).toBe('done');
    await relay.close();
    const all = Buffer.concat(readdirSync(data).map((file) => readFileSync(join(data, file))));
    const isThere = (part: Uint8Array | string) => all.indexOf(part) !== -1;
    expect([mailbox.mailbox, mailbox.tokenHash].map(isThere)).toEqual([true, true]);
    expect([mailbox.token, '127.0.0.1', Buffer.of(127, 0, 0, 1)].map(isThere)).toEqual([false, false, false]);
  });
});

test('two who end a relay both wait until its data is free', async () => {
  const data = temporaryFolder();
  const { relay } = await pair({ data });
  void relay.close();
  await relay.close();
  await testRelay({ data });
});
