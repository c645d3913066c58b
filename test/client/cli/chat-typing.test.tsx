// What is typed in a conversation: every key once, and no text lost.

import { cleanup } from 'ink-testing-library';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { encodeBody, TEXT_MAX_BYTES } from '../../../client/core/body.js';
import { BODY_MAX_BYTES } from '../../../crypto/session.js';
import { BOB, MemoryClient } from '../../support/memory-client.js';
import { ENTER, ESCAPE, open, PAGE_UP, PATIENCE_MS, UP } from './chat-support.js';

afterEach(cleanup);

describe('typing', () => {
  it('takes every key of one reading, and lines that were typed before anything was shown', async () => {
    const client = new MemoryClient();
    const { type, shows, lines, cursor } = await open(client);
    type('early\nabc\u007f\u007f\u007fxyz\u001b[D\u001b[D\u001b[3~');
    await shows('> xz');
    expect(cursor()).toEqual({ row: 23, column: 3 });
    expect(client.messages.map(({ text }) => text)).toEqual(['early']);
    for (let i = 1; i <= 90; i++) client.receive(BOB, `number ${i}.`);
    await shows('number 90.');
    type(PAGE_UP + PAGE_UP);
    await shows('number 50.');
    expect(lines().join()).not.toContain('number 60.');
  });

  it('keeps a tall draft to a third of the screen, with its cursor, the heading and the hint', async () => {
    for (const text of ['line\r'.repeat(300), 'x'.repeat(5_000), '日本語'.repeat(500)]) {
      const { type, shows, lines, cursor, unmount } = await open(new MemoryClient(), { columns: 40, rows: 12 });
      type(`\u001b[200~${text}\u001b[201~`);
      await shows(/^Bob {2}by the relay/);
      await vi.waitFor(() => expect(lines().findIndex((line) => line.startsWith('Enter sends'))).toBe(7), PATIENCE_MS);
      expect(lines()).toHaveLength(12);
      await vi.waitFor(() => expect(cursor().row).toBe(11), PATIENCE_MS);
      expect(cursor().column).toBeLessThan(40);
      type('\u001b[1;5H');
      await vi.waitFor(() => expect(cursor()).toEqual({ row: 8, column: 2 }), PATIENCE_MS);
      type(UP.repeat(3));
      expect(lines()).toHaveLength(12);
      unmount();
    }
  });

  it('tells when a text becomes too long, and keeps it', async () => {
    const client = new MemoryClient();
    const { type, shows } = await open(client);
    type(`\u001b[200~${'é'.repeat(TEXT_MAX_BYTES / 2 - 500)}\u001b[201~`);
    await shows(`room for 1,000 bytes more of ${TEXT_MAX_BYTES.toLocaleString('en-US')} bytes`);
    type(`\u001b[200~${'é'.repeat(1_655)}\u001b[201~`);
    await shows('2,310 bytes too long to be sent');
    type(ENTER);
    await shows('Not sent: this is 2,310 bytes too long.', /é+\n? *$/);
    expect(client.calls.filter(([name]) => name === 'send')).toEqual([]);
  });

  it('allows what a body can carry, whatever else is in it', () => {
    const text = { id: new Uint8Array(16), number: 0x7fff_ffff, chain: new Uint8Array(8), text: 'x'.repeat(TEXT_MAX_BYTES) };
    const reply = { relay: `https://${'r'.repeat(200)}.example`, mailbox: new Uint8Array(16), token: new Uint8Array(16) };
    const body = encodeBody(Date.now(), { case: 'text', value: text }, { name: 'n'.repeat(64), reply, devices: new Uint8Array(491), first: 0x7fff_ffff });
    expect(body.length).toBeLessThanOrEqual(BODY_MAX_BYTES);
  });

  it('puts a text that was not sent before what has been typed since, and a command that does not exist too', async () => {
    const client = new MemoryClient();
    const { type, shows } = await open(client);
    client.people = [];
    let refuse!: () => void;
    client.held = new Promise((resolve) => (refuse = resolve));
    type(`first${ENTER}`);
    await vi.waitFor(() => expect(client.calls).toHaveLength(1));
    type('second');
    await shows('> second');
    refuse();
    await shows(/> first\n {2}second/, 'No contact has this name');
    client.people = [BOB];
    type('\u0015\u0015\u0015/usr/bin is a folder\r');
    await shows('There is no /usr/bin', '> /usr/bin is a folder');
  });

  it('asks before a draft is left behind', async () => {
    const { type, shows, hasLeft } = await open(new MemoryClient());
    type('half');
    type(ESCAPE);
    await shows('Press Esc or Ctrl-C again to leave without sending');
    expect(hasLeft()).toBe(false);
    type(ESCAPE);
    await vi.waitFor(() => expect(hasLeft()).toBe(true), PATIENCE_MS);
  });

  it('refuses to be flooded by a paste', async () => {
    const { type, shows } = await open(new MemoryClient());
    type(`kept\u001b[200~${'x'.repeat(1_000_000)}\u001b[201~`);
    await shows('too much to be pasted', '> kept');
  });
});
