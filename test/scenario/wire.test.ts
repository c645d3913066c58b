// What crosses the wire: every WebSocket message of both clients, in both directions, and every frame handed to a data channel,
// is searched for what nobody but the two may read.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Neighbourhood, until, untilDirect } from '../support/people.js';

let neighbourhood: Neighbourhood;
let tap: WebSocketServer;
const seen: Buffer[] = [];

// A relay that stands in the middle and writes everything down.
beforeEach(async () => {
  neighbourhood = new Neighbourhood();
  await neighbourhood.start();
  seen.length = 0;
  tap = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(tap, 'listening');
  tap.on('connection', (client, { url }) => {
    const relay = new WebSocket(`ws://127.0.0.1:${neighbourhood.relay.port}${url ?? ''}`);
    const waiting: Buffer[] = [];
    relay.on('open', () => waiting.forEach((data) => relay.send(data)));
    client.on('message', (data: Buffer) => {
      seen.push(data);
      if (relay.readyState === WebSocket.OPEN) relay.send(data);
      else waiting.push(data);
    });
    relay.on('message', (data: Buffer) => {
      seen.push(data);
      client.send(data);
    });
    client.on('close', () => relay.close());
    relay.on('close', () => client.close());
    relay.on('error', () => client.close());
  });
});
afterEach(async () => {
  await neighbourhood.end();
  tap.close();
});

describe('the wire', () => {
  it('carries no text, name, identity, SDP or address', async () => {
    const url = `http://127.0.0.1:${(tap.address() as AddressInfo).port}`;
    const [alice, bob] = [await neighbourhood.person('Alice-marker', url), await neighbourhood.person('Bob-marker', url)];
    await bob.client.accept((await alice.client.invite()).link);
    await bob.client.send('Alice-marker', 'text-marker by the relay', { wait: 'delivered' });
    await untilDirect(alice, bob);
    await alice.client.send('Bob-marker', 'text-marker directly', { wait: 'delivered' });
    await until(() => bob.shown().length === 1, 'the direct text');

    const identities = [(await alice.client.status()).identity.id, (await bob.client.status()).identity.id];
    let port: string | undefined;
    await until(async () => {
      port = /:(\d+)/.exec((await alice.client.status()).contacts[0]!.pair?.local ?? '')?.[1];
      return port !== undefined;
    }, 'a pair of addresses');
    const secrets = [
      'text-marker', 'Alice-marker', 'Bob-marker', 'candidate:', 'ice-ufrag', 'fingerprint', `127.0.0.1 ${port}`, `127.0.0.1:${port}`,
      ...identities, ...identities.map((id) => Buffer.from(id, 'hex')),
    ];
    const everything = Buffer.concat([...seen, ...alice.frames, ...bob.frames]);
    expect(seen.length).toBeGreaterThan(20);
    expect(alice.frames.length).toBeGreaterThan(0);
    expect(secrets.filter((secret) => everything.includes(secret))).toEqual([]);
  });
});
