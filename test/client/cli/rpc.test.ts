import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ClientEvent } from '../../../client/client.js';
import { connect, type Connection, NotBegun, REQUEST_MAX_CHARACTERS, serve, type Served } from '../../../client/cli/rpc.js';
import { socketPath } from '../../../client/cli/socket.js';
import { BOB, CAROL, MemoryClient } from '../../support/memory-client.js';

let folder: string;
let path: string;
let client: MemoryClient;
let served: Served;
let connection: Connection;

/** Generous bound on anything that is waited for. */
const PATIENCE_MS = 60_000;

const connected = async () => {
  const made = await connect(path);
  if (!made) throw new Error('nobody serves');
  return made;
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-rpc-'));
  path = join(folder, 'socket');
  client = new MemoryClient();
  served = await serve(client, path);
  connection = await connected();
});

afterEach(async () => {
  await connection.client.close();
  await served.close();
  rmSync(folder, { recursive: true });
});

/** Sends bytes as they are and gives every line that comes back until the other side has had enough. */
async function exchange(bytes: string): Promise<unknown[]> {
  const socket = createConnection(path);
  socket.end(bytes);
  return (await text(socket)).split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

describe('a client over the socket', () => {
  it('answers every method as the client itself', async () => {
    const remote = connection.client;
    client.receive(BOB, 'hello');
    client.people = [BOB, CAROL];
    expect(await remote.invite()).toEqual({ link: 'sotto://invitation', expiresAt: expect.any(Number) });
    expect(await remote.accept('sotto://invitation')).toEqual({ contact: BOB, isBack: false });
    expect(await remote.contacts()).toEqual([{ ...BOB, blocked: false }, { ...CAROL, blocked: false }]);
    await remote.block('Carol');
    expect((await client.contacts()).map(({ blocked }) => blocked)).toEqual([false, true]);
    await remote.unblock('Carol');
    expect((await client.contacts()).map(({ blocked }) => blocked)).toEqual([false, false]);
    await remote.remove('Carol');
    expect(client.people).toEqual([BOB]);
    client.calls.splice(0, 2);
    expect([await remote.address(), await remote.newAddress()]).toEqual([{ link: 'sotto://address' }, { link: 'sotto://new' }]);
    await remote.closeAddress();
    expect(client.calls.splice(0)).toEqual([['address'], ['newAddress'], ['closeAddress']]);
    expect(await remote.requests()).toEqual([{ ...CAROL, isContact: false, at: 1_760_000_000_000, text: 'It is me', messages: 2 }]);
    expect(await remote.approve('ca')).toEqual({ contact: CAROL, isBack: false });
    await expect(remote.refuse('ca')).rejects.toMatchObject({ code: 'request-unknown' });
    const sent = await remote.send('Bob', 'hi', { wait: 'accepted', timeoutMs: 5 });
    expect(sent).toEqual(client.messages[1]);
    await remote.send('Bob', 'plain');
    expect(client.calls).toEqual([['send', 'Bob', 'hi', { wait: 'accepted', timeoutMs: 5 }], ['send', 'Bob', 'plain', {}]]);
    expect(await remote.history(null, { after: 1, limit: 1 })).toEqual([sent]);
    expect(await remote.history('Bob', { limit: 10, before: 2, direction: 'in' })).toEqual([client.messages[0]]);
    expect(await remote.search('hell', 5)).toEqual([client.messages[0]]);
    await remote.markRead('Bob', 1);
    await remote.setPolicy('Bob', 'relay-only');
    expect(client.calls.slice(2)).toEqual([['markRead', 'Bob', 1], ['setPolicy', 'Bob', 'relay-only']]);
    expect(await remote.verify('Bob')).toEqual({ contact: BOB, number: '12345'.repeat(12) });
    expect(await remote.status()).toEqual({ ...(await client.status()), contacts: expect.arrayContaining([expect.objectContaining(BOB)]) });
  });

  it('begins nothing for a caller that has given up', async () => {
    const line = (id: number, deadline: number) => JSON.stringify({ jsonrpc: '2.0', id, method: 'send', params: ['Bob', `text ${id}`, {}], deadline });
    const answers = await exchange(`${line(1, Date.now() - 1)}\n${line(2, Date.now() + 60_000)}\n`);
    expect(answers).toMatchObject([{ id: 2, result: { text: 'text 2' } }]);
    expect(client.messages.map(({ text: sent }) => sent)).toEqual(['text 2']);
  });

  it('passes on every kind of event, in order, until it is told to stop', async () => {
    const seen: ClientEvent[] = [];
    const unsubscribe = connection.client.subscribe((event) => seen.push(event));
    await connection.client.contacts();
    const message = client.receive(BOB, 'hello');
    const others: ClientEvent[] = [
      { type: 'state', message },
      { type: 'contact', contact: CAROL },
      { type: 'request', request: client.waiting[0]! },
      { type: 'path', contact: client.contactStatus(BOB) },
      { type: 'relay', relay: client.relay },
      { type: 'notice', contact: null, code: 'gap', text: 'x' },
    ];
    others.forEach((event) => client.tell(event));
    await vi.waitFor(() => expect(seen).toEqual([{ type: 'message', message }, ...others]), PATIENCE_MS);
    unsubscribe();
    client.receive(BOB, 'more');
    await connection.client.contacts();
    expect(seen).toHaveLength(7);
  });

  it('stops listening to the client when the connection ends', async () => {
    connection.client.subscribe(() => {});
    await connection.client.contacts();
    expect(client.listeners.size).toBe(1);
    await connection.client.close();
    await vi.waitFor(() => expect(client.listeners.size).toBe(0), PATIENCE_MS);
  });

  it('keeps the code and the sentence of an error', async () => {
    await expect(connection.client.accept('nonsense')).rejects.toMatchObject({ name: 'SottoError', code: 'link-invalid', fault: 'caller', message: expect.stringContaining('invitation link') });
  });

  it('carries the largest message', async () => {
    const long = '\u0001'.repeat(65_000);
    expect((await connection.client.send('Bob', long)).text).toBe(long);
  });

  it('serves many at once', async () => {
    const others = await Promise.all(Array.from({ length: 20 }, connected));
    await Promise.all(others.map(({ client: other }, i) => other.send('Bob', `${i}`)));
    expect(client.messages.map(({ text: body }) => body).toSorted()).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`).toSorted());
    await Promise.all(others.map(({ client: other }) => other.close()));
  });
});

describe('a home that is closed or lost', () => {
  it('answers what is under way, begins nothing more, and says so', async () => {
    let release: (() => void) | undefined;
    client.held = new Promise((resolve) => (release = resolve));
    const other = await connected();
    const underWay = connection.client.send('Bob', 'hi');
    await vi.waitFor(() => expect(client.calls).toHaveLength(1), PATIENCE_MS);
    served.refuse();
    const late = other.client.contacts();
    late.catch(() => {});
    // The request lies in the socket; let the server read it.
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    const closed = served.close();
    release?.();
    expect((await underWay).text).toBe('hi');
    await expect(late).rejects.toThrow(NotBegun);
    await closed;
    await connection.gone;
    expect(await connect(path)).toBeNull();
  });

  it('tells an owner that was killed from one that closed', async () => {
    let release: (() => void) | undefined;
    client.held = new Promise((resolve) => (release = resolve));
    const sending = connection.client.send('Bob', 'hi');
    const failed = expect(sending).rejects.toMatchObject({ code: 'owner-gone' });
    await vi.waitFor(() => expect(client.calls).toHaveLength(1), PATIENCE_MS);
    await served.close();
    await failed;
    await expect(connection.client.contacts()).rejects.toMatchObject({ code: 'owner-gone' });
    release?.();
  });

  it('leaves a socket that the next owner replaces', async () => {
    await served.close();
    writeFileSync(path, '');
    expect(await connect(path)).toBeNull();
    served = await serve(client, path);
    connection = await connected();
    expect(await connection.client.contacts()).toEqual([{ ...BOB, blocked: false }]);
  });
});

describe('the socket', () => {
  it('is for its owner alone', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('stands in the home, or in a closed folder where the path would be too long', async () => {
    expect(socketPath('/home/a')).toBe('/home/a/socket');
    const [long, longer] = [120, 121].map((length) => socketPath(join(folder, 'x'.repeat(length)))) as [string, string];
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(100);
    expect(statSync(join(long, '..')).mode & 0o777).toBe(0o700);
    expect(socketPath(join(folder, 'x'.repeat(120)))).toBe(long);
    expect(longer).not.toBe(long);
    for (const made of [long, longer]) rmSync(join(made, '..'), { recursive: true });
  });
});

const error = (code: number) => expect.objectContaining({ error: expect.objectContaining({ code }) });

describe('hostile lines', () => {
  it('are answered with an error and nothing else', async () => {
    const lines = ['{', 'null', '5', '"x"', '[]', '[null]', '{}', '{"jsonrpc":"2.0","id":1,"method":"constructor"}', '{"jsonrpc":"2.0","id":2,"method":"close"}'];
    const answers = await exchange(`${lines.join('\n')}\n`);
    expect(answers).toHaveLength(lines.length);
    for (const answer of answers) expect(answer).toHaveProperty('error');
    expect(client.closed).toBe(false);
  });

  it('with wrong arguments reach no method', async () => {
    const bad = [
      ['send', ['Bob']], ['send', ['Bob', 'x', {}, 1]], ['send', ['Bob', 'x', { wait: 'soon' }]], ['send', { contact: 'Bob' }],
      ['history', ['Bob', { limit: -1 }]], ['history', ['Bob', { limit: 1, extra: 1 }]], ['setPolicy', ['Bob', 'open']], ['accept', [7]],
    ];
    const answers = await exchange(bad.map(([method, params], id) => JSON.stringify({ jsonrpc: '2.0', id, method, params })).join('\n') + '\n');
    expect(answers).toEqual(bad.map(() => error(-32_602)));
    expect(client.calls).toEqual([]);
  });

  it('with a deadline that is no time are answered as those without', async () => {
    const odd = [{ valueOf: 1, toString: 1 }, [], null, 'soon', true].map((deadline, id) => JSON.stringify({ jsonrpc: '2.0', id, method: 'contacts', deadline }));
    expect(await exchange(`${odd.join('\n')}\n`)).toMatchObject(odd.map((_, id) => ({ id, result: [{ name: 'Bob' }] })));
  });

  it('that have no end are cut off', async () => {
    expect(await exchange('x'.repeat(REQUEST_MAX_CHARACTERS + 1))).toEqual([error(-32_600)]);
  });

  it('of any kind leave the home answering', async () => {
    const odd = fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.record({ jsonrpc: fc.constant('2.0'), id: fc.anything(), method: fc.constantFrom('send', 'history', 'x'), params: fc.anything() }).map((value) => {
      try {
        return JSON.stringify(value);
      } catch {
        return '{';
      }
    }));
    await fc.assert(fc.asyncProperty(fc.array(odd, { maxLength: 5 }), async (lines) => {
      await exchange(`${lines.join('\n')}\n`);
      expect(await connection.client.contacts()).toEqual([{ ...BOB, blocked: false }]);
    }), { numRuns: 50 });
  });
});
