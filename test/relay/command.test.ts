// `sotto relay` as people run it.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { ready } from '../../crypto/sodium.js';
import { dataFolder } from '../../relay/command.js';
import { tryStun } from '../../relay/trial.js';
import { Story } from '../support/command.js';
import { newMailbox, put, random, TestClient } from './support.js';

const story = new Story();
beforeAll(ready);
afterAll(() => story.end());

let folders = 0;
function newFolder(): string {
  folders += 1;
  return story.home(`relay-${folders}`);
}

async function startRelay(...args: string[]) {
  const data = newFolder();
  const process = story.start(['relay', '--port', '0', '--stun-port', '0', '--data', data, '--json', ...args]);
  const { port, url } = JSON.parse(await process.line((line) => line.includes('listening'))) as { port: number; url: string };
  return { process, port, url, data };
}

describe('sotto relay', () => {
  test('says where it listens and where its data is, and ends with 0 when it is told to', async () => {
    const data = newFolder();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const relay = story.start(['relay', '--port', '0', '--stun-port', '0', '--data', data]);
      await relay.line((line) => line.includes(data));
      const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(relay.lines.join('\n'))!;
      expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: 'ok' });
      await relay.kill(signal);
      expect(relay.child.exitCode).toBe(0);
      expect(relay.lines.at(-1)).toBe('Sotto relay has stopped.');
    }
  });

  test('refuses a folder that another relay uses, and takes over one whose relay was killed', async () => {
    const first = await startRelay();
    const second = await story.run(['relay', '--port', '0', '--stun-port', '0', '--data', first.data, '--json']);
    expect(second).toMatchObject({ code: 2, json: { error: { code: 'data-in-use', message: expect.stringContaining(`runs already, at ${first.url}. Use that one`) } } });
    await first.process.kill('SIGKILL');
    const third = story.start(['relay', '--port', '0', '--stun-port', '0', '--data', first.data, '--json']);
    await third.line((line) => line.includes('listening'));
  });

  test('refuses a port that is taken, also with --guide where the port was chosen by hand', async () => {
    const { port } = await startRelay();
    for (const guide of [[], ['--guide']]) {
      const refused = await story.run(['relay', '--port', String(port), '--stun-port', '0', '--data', newFolder(), ...guide]);
      expect(refused).toMatchObject({ code: 2, err: expect.stringContaining(`Another program uses port ${port}; choose another with --port.`) });
    }
  });

  test('refuses a port of metrics that is taken where it was chosen by hand, and names the flag for that', async () => {
    const { port } = await startRelay();
    const refused = await story.run(['relay', '--stun-port', '0', '--metrics-port', String(port), '--data', newFolder()]);
    expect(refused).toMatchObject({ code: 2, out: '', err: `sotto: Another program uses port ${port}; choose another with --metrics-port.\n` });
  });

  test('refuses a port of STUN that is taken where it was chosen by hand, and ends', async () => {
    const udp = createSocket('udp4').bind(0, '127.0.0.1');
    await once(udp, 'listening');
    onTestFinished(() => void udp.close());
    const { port } = udp.address();
    const refused = await story.run(['relay', '--port', '0', '--stun-port', String(port), '--data', newFolder()]);
    expect(refused).toMatchObject({ code: 2, out: '', err: `sotto: Another program uses UDP port ${port}; choose another with --stun-port.\n` });
  });

  test('guides with the relay that runs already on the same data, and leaves with 0', async () => {
    const { url, data } = await startRelay();
    const { code, out } = await story.run(['relay', '--guide', '--port', '0', '--stun-port', '0', '--data', data]);
    expect(code).toBe(0);
    expect(out).toContain('It runs already');
    expect(new Set(out.match(/http:\/\/127\.0\.0\.1:\d+/g))).toEqual(new Set([url]));
  });

  test('listens for STUN and TURN at another address where it is told to, as behind a proxy', async () => {
    const { process } = await startRelay('--stun-host', '127.0.0.2');
    const { stunPort } = JSON.parse(process.lines[0]!) as { stunPort: number };
    expect(await tryStun('127.0.0.2', stunPort)).toMatchObject({ address: '127.0.0.1' });
    await process.kill('SIGTERM');
  });

  test('refuses options that make no sense', async () => {
    for (const options of [['--port', '65536'], ['--port', 'x'], ['--stun-port', '-1'], ['--host', '192.0.2.1'], ['--wrong']]) {
      expect((await story.run(['relay', '--data', newFolder(), ...options])).code, options.join(' ')).toBe(2);
    }
  });

  test('ends where a folder for its data cannot be', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    const file = join(folder, 'file');
    writeFileSync(file, '');
    for (const data of [file, join(file, 'deep'), ...(process.platform === 'linux' ? ['/proc/1/x'] : [])]) {
      expect(await story.run(['relay', '--port', '0', '--stun-port', '0', '--data', data])).toMatchObject({ code: 6, err: expect.stringMatching(/^sotto: The folder \S+ cannot be made: [a-z ]+; choose another/) });
    }
  });

  test('names every address that others may use when it listens at all of them', async () => {
    const relay = story.start(['relay', '--host', '0.0.0.0', '--lan', '--port', '0', '--stun-port', '0', '--data', newFolder()]);
    await relay.line((line) => line.startsWith('Others'));
    const urls = relay.lines.join('\n').match(/http:\/\/\S+/g);
    const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? []).filter(({ family, internal }) => family === 'IPv4' && !internal);
    expect(urls?.map((url) => new URL(url).hostname)).toEqual(['127.0.0.1', ...addresses.map(({ address }) => address)]);
    await relay.kill('SIGTERM');
  });

  test('tells a guest what to type with the link', async () => {
    const { url } = await startRelay();
    expect(await (await fetch(`${url}/i`)).text()).toContain('npx sotto accept "THE WHOLE LINK"');
  });

  test('guides two people with the port that it really has, if the default ones are taken', async () => {
    // Whoever has these ports, they are taken now.
    const blocker = createServer().listen(8080, '127.0.0.1');
    const udp = createSocket('udp4').bind(3478, '127.0.0.1');
    onTestFinished(() => {
      blocker.close();
      udp.close();
    });
    await Promise.all([blocker, udp].map((socket) => once(socket, 'listening').catch((error: { code: string }) => expect(error.code).toBe('EADDRINUSE'))));
    const relay = story.start(['relay', '--guide', '--data', newFolder()]);
    await relay.line((line) => line.includes('sotto chat') && line.includes('Bob'));
    const text = relay.lines.join('\n');
    const urls = new Set(text.match(/http:\/\/127\.0\.0\.1:\d+/g));
    expect(urls.size).toBe(1);
    const [url] = urls;
    expect(url).not.toContain(':8080');
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect(text).toContain('TCP port 8080 is taken, so the relay answers at port');
    expect(text).toContain('Homes made for another port do not find it: free that port');
    expect(text).toContain('UDP port 3478 is taken');
    expect(relay.lines.filter((line) => line.length > 80)).toEqual([]);
    const commands = text.match(/npx sotto \w+/g)!.map((command) => command.slice(10));
    expect(commands).toEqual(['init', 'invite', 'init', 'accept', 'chat', 'chat']);
    expect(relay.err).toBe('');
  });

  test('logs nothing that names a client, whatever clients do', async () => {
    const { process, port, url } = await startRelay();
    const mailbox = newMailbox();
    const owner = await TestClient.connect(port, 'collect');
    const sender = await TestClient.connect(port, 'deposit');
    expect(await owner.collect(mailbox)).toBe('done');
    expect(await sender.try(put(mailbox, random(10)))).toBe('done');
    expect(await sender.try(put({ ...mailbox, token: random(16) }, random(10)))).toBe('token-wrong');
    expect((await fetch(`${url}/${toHex(mailbox.token)}/%ff`)).status).toBe(404);
    sender.socket.send(random(20));
    await sender.closed;
    const exit = once(process.child, 'close');
    process.child.kill('SIGTERM');
    await exit;
    expect(process.err.trim().split('\n').map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['relay started', 'relay stopped']);
    for (const secret of [mailbox.mailbox, mailbox.token, mailbox.tokenHash, mailbox.owner]) expect(process.err).not.toContain(toHex(secret));
    expect(process.err).not.toMatch(/127\.0\.0\.1|::1|localhost/);
  });
});

test('the data folder is where each system keeps such things', () => {
  expect(dataFolder('linux', {}, '/home/a')).toBe('/home/a/.local/share/sotto-relay');
  expect(dataFolder('linux', { XDG_DATA_HOME: '/x' }, '/home/a')).toBe('/x/sotto-relay');
  expect(dataFolder('darwin', {}, '/Users/a')).toBe('/Users/a/Library/Application Support/sotto-relay');
});
