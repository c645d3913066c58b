// The relay goes away and comes back: what people are told meanwhile is true, and nobody waits longer than they must.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, type Json, type Running, Story } from '../support/command.js';
import { freePort } from '../support/port.js';

const story = new Story();
const [alice, bob] = [story.home('alice'), story.home('bob')];
let port: number;
let relay: Running;
let url: string;

async function startRelay(): Promise<Running> {
  const running = story.start(['relay', '--port', String(port), '--stun-port', '0', '--data', story.home('relay'), '--json']);
  await running.line((line) => line.includes('listening'));
  return running;
}

async function stateOf(home: string): Promise<{ readonly online: unknown; readonly reason: unknown; readonly connected: unknown; readonly since: number }> {
  const { relays, contacts } = await story.json(['status', '--home', home]) as { relays: Json[]; contacts: Json[] };
  return { online: relays[0]!.online, reason: relays[0]!.reason, connected: contacts[0]!.connected, since: Number(contacts[0]!.since) };
}

beforeAll(async () => {
  port = await freePort();
  url = `http://127.0.0.1:${port}`;
  relay = await startRelay();
  for (const [home, name] of [[alice, 'Alice'], [bob, 'Bob']] as const) await story.json(['init', '--home', home, '--name', name, '--relay', url]);
  const { link } = await story.json(['invite', '--home', alice]);
  await story.json(['accept', String(link), '--home', bob]);
});

afterAll(() => story.end());

test('a message that cannot leave says why, to people and to programs', async () => {
  await relay.kill('SIGTERM');
  const send = ['send', 'Alice', 'hello', '--timeout', '1', '--home', bob];
  expect(await story.run([...send, '--json'])).toMatchObject({ code: 7, json: { state: 'queued', reason: 'relay-unreachable' } });
  const { code, err } = await story.run(send);
  expect(code).toBe(7);
  expect(err).toContain(`it stays queued here. The relay ${url} cannot be reached: nothing listens there. Do not send it again`);
  expect(err).toMatch(/and "npx sotto listen --home [^"]+" keeps trying\./);
  expect((await story.run(['status', '--home', bob])).out).toContain('not connected; messages stay queued');
  const invite = await story.run(['invite', '--home', bob]);
  expect([invite.code, invite.err]).toEqual([5, `sotto: The relay ${url} cannot be reached: nothing listens there; check the network and the address, then try again.\n`]);
});

test('a client that runs is back as soon as somebody asks, and its path begins anew', async () => {
  const listening = story.start(['listen', '--json', '--home', bob]);
  const { relay: told } = JSON.parse(await listening.line((line) => line.includes('"relay"'))) as { relay: Json };
  expect(told).toMatchObject({ online: false, reason: 'nothing listens there', cause: expect.stringContaining('ECONNREFUSED') });
  expect(await stateOf(bob)).toMatchObject({ online: false, reason: 'nothing listens there', connected: false });
  const away = Date.now();
  relay = await startRelay();
  const state = await stateOf(bob);
  expect(state).toMatchObject({ online: true, reason: null, connected: true });
  expect(state.since).toBeGreaterThanOrEqual(away);
  await eventually(() => story.json(['history', 'Bob', '--home', alice]), ({ messages }) => (messages as Json[]).length === 2);
  await relay.kill('SIGTERM');
  await eventually(() => stateOf(bob), ({ online, reason, connected }) => !online && reason === 'nothing listens there' && !connected);
});
