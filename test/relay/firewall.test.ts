// The ports that an operator opens: what a relay says of them is where it points its clients to, and what the documents say.

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ready } from '../../crypto/sodium.js';
import { describe as words, displacedOf, openingsOf, type TurnPlaces } from '../../relay/firewall.js';
import { SETTINGS } from '../../relay/settings.js';
import { openUdp } from '../../relay/turn/socket.js';
import { Story } from '../support/command.js';
import { TestClient, testRelay } from './support.js';

beforeAll(ready);

const LAN = { host: '0.0.0.0', plain: 'lan' } as const;
const stunPort = SETTINGS.stunPort.initial;

/** The default ports of a relay whose others are all free. */
function usual(workers: number): TurnPlaces {
  const threads = workers === 0 ? [0] : Array.from({ length: workers }, (_, index) => index + 1);
  const offered = threads.map((thread) => ({ udp: stunPort + 2 * thread, tcp: stunPort + 2 * thread }));
  return { port: stunPort, otherPort: stunPort + 1, offered, relayPorts: [49_152, 65_535] };
}

/** Ports of all servers that clients of a relay are pointed to, as often as it may take to meet each. */
async function offeredPorts(port: number): Promise<string[]> {
  const urls = await Promise.all(Array.from({ length: 4 }, async () => {
    const answer = await (await TestClient.connect(port, 'deposit')).ask({ case: 'askTurn', value: {} });
    return answer.case === 'turn' ? answer.value.urls : [];
  }));
  return [...new Set(urls.flat().map((url) => url.replace(/^turn:127\.0\.0\.1:(\d+)\?transport=(\w+)$/, '$2 $1')))].toSorted();
}

/** Takes some of the ports that follow one that is free. @returns that one */
async function occupy(): Promise<number> {
  // Below those that the system gives to others meanwhile.
  const port = randomInt(10_000, 30_000);
  const opened: { close(): unknown }[] = [];
  onTestFinished(() => opened.forEach((socket) => socket.close()));
  try {
    const free = [await openUdp('127.0.0.1', port), await openUdp('127.0.0.1', port + 4)];
    free.forEach((socket) => socket.close());
    opened.push(await openUdp('127.0.0.1', port + 1), await openUdp('127.0.0.1', port + 2));
    const server = createServer().listen(port + 4, '127.0.0.1');
    await once(server, 'listening');
    opened.push(server);
    return port;
  } catch {
    return await occupy();
  }
}

describe('the openings of a relay', () => {
  test.each([0, 2])('with %i workers are the ports that its clients are pointed to, and no others', async (workers) => {
    const { port, stunPort: bound, openings } = await testRelay({ ...LAN, turn: { workers, relayPorts: [50_000, 50_099] } });
    const { udp, tcp } = openings;
    expect(tcp[0]).toBe(String(port));
    expect([udp[0], udp.at(-1)]).toEqual([String(bound), '50000-50099']);
    const turn = [...tcp.slice(1).map((each) => `tcp ${each}`), ...udp.slice(workers === 0 ? 0 : 2, -1).filter((each) => each !== udp[1]).map((each) => `udp ${each}`)];
    expect(await offeredPorts(port)).toEqual(turn.toSorted());
  });

  test('are none where only this machine reaches it, and those of STUN alone where TURN is elsewhere', async () => {
    expect((await testRelay()).openings).toEqual({ tcp: [], udp: [] });
    const external = { urls: ['turn:turn.example'], secret: 'secret' };
    const { port, stunPort: bound, openings } = await testRelay({ ...LAN, turn: { external } });
    expect(openings).toEqual({ tcp: [String(port)], udp: [String(bound), expect.any(String)] });
    expect((await testRelay({ stunHost: '0.0.0.0' })).openings.tcp).not.toContain(String(port));
  });

  test('are the same in README, OPERATING and the container', () => {
    const read = (name: string): string => readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8');
    const said = (http: number, workers: number): string => words(openingsOf(http, usual(workers)));
    expect(read('README.md')).toContain(said(SETTINGS.port.initial, 0));
    expect(read('docs/OPERATING.md')).toContain(said(443, 0));
    expect(read('docs/OPERATING.md')).toContain(said(443, 2));
    // Without those of relayed connections: whoever publishes all that is exposed would wait for sixteen thousand ports.
    expect(read('deploy/Dockerfile')).toContain(`EXPOSE ${SETTINGS.port.initial}/tcp ${stunPort}/tcp ${stunPort}-${stunPort + 1}/udp\n`);
  });
});

describe('ports that another program has', () => {
  test('are none where all are free', () => {
    expect([displacedOf(usual(0)), displacedOf(usual(3))]).toEqual([[], []]);
  });

  test('are told with what has taken their place', async () => {
    const story = new Story();
    onTestFinished(() => story.end());
    const port = await occupy();
    const relay = story.start(['relay', '--port', '0', '--stun-port', String(port), '--turn-workers', '2', '--data', story.home('relay')]);
    await relay.line((line) => line.startsWith('Only this machine'));
    expect(relay.lines.slice(0, 3)).toEqual([
      expect.stringMatching(`^UDP port ${port + 1} is taken, so the second ear of STUN answers at port \\d+\\.$`),
      expect.stringMatching(`^UDP port ${port + 2} is taken, so a thread of TURN answers at port \\d+\\.$`),
      `TCP port ${port + 4} is taken, so there is no TURN over TCP at it.`,
    ]);
    await relay.kill('SIGTERM');
  });
});
