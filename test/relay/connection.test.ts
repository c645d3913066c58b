// One connection between two real WebSockets on 127.0.0.1.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { Connection } from '../../relay/connection.js';
import { random } from './support.js';

async function pair() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [socket, { socket: stream }] = (await once(server, 'connection')) as [WebSocket, IncomingMessage];
  await once(client, 'open');
  onTestFinished(() => {
    client.terminate();
    server.close();
  });
  const frames: Buffer[] = [];
  let closed = 0;
  let stalled = 0;
  const connection = new Connection(socket, stream, {
    frame: (bytes) => frames.push(Buffer.from(bytes)),
    stalled: () => {
      stalled += 1;
    },
    closed: () => {
      closed += 1;
    },
  });
  return { client, socket, stream, connection, frames, closed: () => closed, stalled: () => stalled };
}

const PATIENCE = { timeout: 60_000, interval: 20 };

test('frames go both ways, and a text is a frame that nobody can read', async () => {
  const { client, connection, frames } = await pair();
  const answered = once(client, 'message');
  connection.send(Uint8Array.of(1, 2));
  expect((await answered)[0]).toEqual(Buffer.of(1, 2));
  client.send(Uint8Array.of(3));
  client.send('three');
  await vi.waitFor(() => expect(frames).toEqual([Buffer.of(3), Buffer.alloc(0)]), PATIENCE);
});

test('what is sent in one turn waits for its end, and leaves then', async () => {
  const { client, stream, connection } = await pair();
  const received: Buffer[] = [];
  client.on('message', (data: Buffer) => received.push(data));
  for (const byte of [1, 2, 3]) connection.send(Uint8Array.of(byte));
  // Three frames of a byte, each with a head of two.
  expect(stream.writableLength).toBe(9);
  await vi.waitFor(() => expect(received).toEqual([Buffer.of(1), Buffer.of(2), Buffer.of(3)]), PATIENCE);
});

test('a client that does not read is not read, and both go on when it does', async () => {
  const { client, socket, connection, frames } = await pair();
  client.pause();
  let sent = 0;
  await vi.waitFor(() => {
    for (let count = 0; count < 50; count += 1) connection.send(random(65_536));
    sent += 50;
    expect(socket.isPaused).toBe(true);
  }, PATIENCE);
  client.send(Uint8Array.of(1));
  let received = 0;
  client.on('message', () => {
    received += 1;
  });
  expect(frames).toEqual([]);
  client.resume();
  await vi.waitFor(() => expect([received, frames.length, socket.isPaused]).toEqual([sent, 1, false]), PATIENCE);
});

test('a connection on hold is not read until it is let go, whatever else is sent', async () => {
  const { client, socket, connection, frames } = await pair();
  connection.hold(true);
  connection.send(Uint8Array.of(1));
  await once(client, 'message');
  expect(socket.isPaused).toBe(true);
  client.send(Uint8Array.of(2));
  connection.hold(false);
  await vi.waitFor(() => expect(frames).toEqual([Buffer.of(2)]), PATIENCE);
});

test('a client that answers a probe stays, and one that has missed one is gone', async () => {
  const { client, connection, closed, socket } = await pair();
  for (let count = 0; count < 3; count += 1) {
    const pong = once(socket, 'pong');
    connection.probe();
    await pong;
  }
  expect(closed()).toBe(0);
  client.pause();
  connection.probe();
  connection.probe();
  await vi.waitFor(() => expect(closed()).toBe(1), PATIENCE);
});

test('closing reads on for the client’s goodbye, also from a connection on hold', async () => {
  const { client, connection, closed } = await pair();
  connection.hold(true);
  connection.close();
  await once(client, 'close');
  await vi.waitFor(() => expect(closed()).toBe(1), PATIENCE);
});

test('a client that takes nothing of a full buffer is reported, and one that goes on reading is not', async () => {
  const { client, socket, connection, stalled, closed } = await pair();
  client.pause();
  await vi.waitFor(() => {
    for (let count = 0; count < 50; count += 1) connection.send(random(65_536));
    expect(socket.isPaused).toBe(true);
  }, PATIENCE);
  const before = socket.bufferedAmount;
  connection.probe();
  client.resume();
  await vi.waitFor(() => expect(socket.bufferedAmount).toBeLessThan(before - 65_536), PATIENCE);
  client.pause();
  connection.probe();
  expect(stalled()).toBe(0);
  await vi.waitFor(() => {
    for (let count = 0; count < 50; count += 1) connection.send(random(65_536));
    expect(socket.isPaused).toBe(true);
  }, PATIENCE);
  connection.probe();
  connection.probe();
  // Whether the first of them already finds the buffer as the last one left it depends on the system's buffers.
  expect(stalled()).toBeGreaterThan(0);
  expect(closed()).toBe(0);
});

test('a client on hold is not taken for one that is gone, though its answers are not read', async () => {
  const { connection, closed, stalled } = await pair();
  connection.hold(true);
  for (let count = 0; count < 3; count += 1) connection.probe();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([closed(), stalled()]).toEqual([0, 0]);
});
