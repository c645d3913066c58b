// Two strangers come by an address: real processes, as people would do it. The strangers' way to the relay leads over a tap that writes down
// everything that is said to them: before approval that is nothing.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeClientFrame, decodeRelayFrame } from '../../relay/wire/frame.js';
import { Story, eventually } from '../support/command.js';
import type { Json } from '../support/command.js';
import { freePort } from '../support/port.js';

let story: Story;
let port: number;
let tap: WebSocketServer;
/** The kinds of frames that crossed the tap, in order: what is asked of the strangers' relay, and what it says. */
const said: string[] = [];

beforeEach(async () => {
  story = new Story();
  port = await freePort();
  said.length = 0;
  tap = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(tap, 'listening');
  tap.on('connection', (client, { url }) => {
    const relay = new WebSocket(`ws://127.0.0.1:${port}${url ?? ''}`);
    const waiting: Buffer[] = [];
    relay.on('open', () => waiting.forEach((data) => relay.send(data)));
    client.on('message', (data: Buffer) => {
      said.push(decodeClientFrame(data).body.case);
      if (relay.readyState === WebSocket.OPEN) relay.send(data);
      else waiting.push(data);
    });
    relay.on('message', (data: Buffer) => {
      said.push(decodeRelayFrame(data).body.case);
      client.send(data);
    });
    client.on('close', () => relay.close());
    relay.on('close', () => client.close());
    relay.on('error', () => client.close());
  });
});
afterEach(async () => {
  await story.end();
  tap.close();
});

const tapUrl = (): string => `http://127.0.0.1:${(tap.address() as AddressInfo).port}`;
const requestsOf = async (home: string): Promise<Json[]> => (await story.json(['requests', '--home', home]))['requests'] as Json[];
const contactOf = (status: Json, name: string): Json | undefined => (status['contacts'] as Json[]).find((contact) => contact['name'] === name);

async function newHome(name: string, relay: string): Promise<string> {
  const home = story.home(name.toLowerCase());
  await story.json(['init', '--name', name, '--home', home, '--relay', relay]);
  return home;
}

async function ask(name: string, link: string, text: string): Promise<string> {
  const home = await newHome(name, tapUrl());
  await story.json(['accept', link, '--home', home]);
  expect(await story.json(['send', 'Alice', text, '--wait', 'accepted', '--home', home])).toMatchObject({ state: 'accepted' });
  return home;
}

describe('an address', () => {
  it('brings two strangers: one is approved, talks both ways and goes direct, the other is refused and learns nothing', async () => {
    await story.relay(port);
    const alice = await newHome('Alice', `http://127.0.0.1:${port}`);
    const { link } = await story.json(['address', '--home', alice]);
    expect(await story.json(['address', '--home', alice])).toEqual({ link });
    const atAlice = story.start(['listen', '--json', '--home', alice]);
    const bob = await ask('Bob', String(link), 'It is Bob, from the fair');
    const eve = await ask('Eve', String(link), 'It is Eve');
    await atAlice.line((line) => line.includes('It is Bob'));
    await atAlice.line((line) => line.includes('It is Eve'));

    // Nothing that a stranger could see has left the owner: no envelope was put into their mailboxes, and none came.
    const waiting = await requestsOf(alice);
    expect(waiting).toMatchObject([{ name: 'Bob', text: 'It is Bob, from the fair', messages: 1 }, { name: 'Eve', text: 'It is Eve', messages: 1 }]);
    expect(new Set(said)).toEqual(new Set(['welcome', 'ping', 'collect', 'done']));
    expect(atAlice.events().filter(({ type }) => type === 'message' || type === 'contact')).toEqual([]);
    expect(contactOf(await story.json(['status', '--home', bob]), 'Alice')).toMatchObject({ path: 'relay', heardAt: null, why: expect.stringContaining('approval') });

    expect(await story.json(['refuse', String(waiting[1]!['id']), '--home', alice])).toEqual({ refused: 1 });
    expect(await story.json(['approve', String(waiting[0]!['id']), '--home', alice])).toMatchObject({ contact: { name: 'Bob' } });
    await atAlice.line((line) => line.includes('"message"') && line.includes('It is Bob'));
    const quiet = said.length;
    const atBob = story.start(['listen', '--json', '--home', bob]);
    expect(await story.json(['send', 'Bob', 'welcome', '--wait', 'delivered', '--home', alice])).toMatchObject({ state: 'delivered' });
    await eventually(() => story.json(['status', '--home', alice]), (status) => contactOf(status, 'Bob')?.['path'] === 'direct');
    expect(await story.json(['send', 'Alice', 'directly', '--wait', 'delivered', '--home', bob])).toMatchObject({ state: 'delivered', path: 'direct' });
    await Promise.all([atAlice.line((line) => line.includes('directly')), atBob.line((line) => line.includes('welcome'))]);
    expect([atAlice.texts(), atBob.texts()]).toEqual([['It is Bob, from the fair', 'directly'], ['welcome']]);

    expect(said.slice(quiet)).toEqual(expect.arrayContaining(['put', 'delivery']));

    // Eve, here or not, hears nothing, and what she writes is not kept.
    const atEve = story.start(['listen', '--json', '--home', eve]);
    await story.json(['send', 'Alice', 'still there?', '--wait', 'accepted', '--home', eve]);
    expect(await requestsOf(alice)).toEqual([]);
    expect(contactOf(await story.json(['status', '--home', eve]), 'Alice')).toMatchObject({ heardAt: null, undelivered: 2 });
    expect(atEve.texts()).toEqual([]);
    expect((await story.json(['contacts', '--home', alice]))['contacts']).toMatchObject([{ name: 'Bob' }]);
  });

  it('that is closed leads nowhere, though the process that closed it ended at once', async () => {
    await story.relay(port);
    const alice = await newHome('Alice', `http://127.0.0.1:${port}`);
    const { link } = await story.json(['address', '--home', alice]);
    const bob = await newHome('Bob', `http://127.0.0.1:${port}`);
    await story.json(['accept', String(link), '--home', bob]);
    expect(await story.json(['address', '--close', '--home', alice])).toEqual({ link: null });
    expect(await story.json(['address', '--home', alice])).not.toEqual({ link });
    const send = ['send', 'Alice', 'hello?', '--wait', 'accepted', '--timeout', '2', '--home', bob, '--json'];
    // On a busy machine the relay may not have been asked yet when the first of them gives up.
    const { json } = await eventually(() => story.run(send), (sent) => sent.json['reason'] === 'mailbox-unknown');
    expect(json).toMatchObject({ state: 'queued' });
  });
});
