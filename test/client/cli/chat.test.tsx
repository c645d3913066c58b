import { cleanup, render } from 'ink-testing-library';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Chat } from '../../../client/cli/chat/chat.js';
import { afterEvent, merge } from '../../../client/cli/chat/conversation.js';
import { BOB, CAROL, MemoryClient } from '../../support/memory-client.js';

afterEach(cleanup);

const ENTER = '\r';
const PAGE_UP = '\u001b[5~';
const END = '\u001b[F';
/** What Ink itself writes to colour a text. */
const COLOURS = new RegExp(`${'\u001b'}\\[[\\d;]*m`, 'g');

/** Opens a conversation with Bob and waits until it has been loaded. */
async function open(client: MemoryClient) {
  let left = false;
  const screen = render(<Chat client={client} contact={BOB} onLeave={() => (left = true)} />);
  const shows = (...texts: readonly (string | RegExp)[]) => vi.waitFor(() => {
    for (const text of texts) expect(screen.lastFrame()).toMatch(text);
  }, 5_000);
  await shows(/Bob {2}(by the relay|direct) since/);
  return { ...screen, shows, hasLeft: () => left, type: (keys: string) => screen.stdin.write(keys) };
}

describe('a conversation on the screen', () => {
  it('shows who, by which path, and what was said', async () => {
    const client = new MemoryClient();
    client.receive(BOB, 'hello there');
    await client.send('Bob', 'hi Bob');
    const { shows } = await open(client);
    await shows(/Bob {2}by the relay since 1?\d:\d\d|just now/, /Bob {2}hello there/, /you {2}hi Bob {2}sent/, '── today ──', '>');
  });

  it('sends what is typed and follows the message to its end', async () => {
    const client = new MemoryClient();
    client.sendState = 'queued';
    const { shows, type, lastFrame } = await open(client);
    type('see you');
    await shows('> see you');
    type(ENTER);
    await vi.waitFor(() => expect(client.calls).toContainEqual(['send', BOB.id, 'see you', { wait: 'queued' }]));
    const [message] = client.messages;
    if (!message) throw new Error('not sent');
    client.tell({ type: 'state', message });
    await shows(/you {2}see you {2}queued/);
    expect(lastFrame()).not.toContain('> see you');
    client.tell({ type: 'state', message: { ...message, state: 'delivered', path: 'direct' } });
    await shows(/see you {2}delivered, direct/);
    client.tell({ type: 'state', message: { ...message, state: 'failed', reason: 'mailbox-unknown' } });
    await shows(/see you {2}failed: mailbox-unknown/);
  });

  it('lets no escape sequence of another reach the terminal', async () => {
    const client = new MemoryClient();
    const eve = { id: BOB.id, name: 'Bob\u001b]0;x\u0007' };
    client.receive(eve, '\u001b[2J\u001b]52;c;aGk=\u0007gone\u009b31m');
    const { shows, frames } = await open(client);
    client.tell({ type: 'path', contact: { ...client.contactStatus(BOB), why: '\u001b[2J' } });
    client.tell({ type: 'notice', contact: null, code: 'x', text: '\u001b[2Jnotice' });
    await shows('notice', 'gone');
    for (const frame of frames) expect(frame.replaceAll(COLOURS, '')).not.toMatch(/[^\P{Cc}\n]/u);
  });

  it('keeps its place while new messages come, says so, and goes back to the newest', async () => {
    const client = new MemoryClient();
    for (let i = 1; i <= 80; i++) client.receive(BOB, `number ${i}.`, Date.now() - 3_600_000);
    const { shows, type, lastFrame } = await open(client);
    await shows('number 80.');
    type(PAGE_UP);
    await vi.waitFor(() => expect(lastFrame()).not.toContain('number 80.'));
    const before = /number (\d+)\./.exec(lastFrame() ?? '')?.[0] ?? '';
    client.receive(BOB, 'number 81.');
    await shows('1 new message below', before);
    expect(lastFrame()).not.toContain('number 81.');
    type(END);
    await shows('number 81.');
    expect(lastFrame()).not.toContain('new message below');
  });

  it('loads older messages when the top is reached', async () => {
    const client = new MemoryClient();
    for (let i = 1; i <= 250; i++) client.receive(BOB, `number ${i}.`, Date.now() - 3_600_000);
    const { type, lastFrame } = await open(client);
    await vi.waitFor(() => {
      type(PAGE_UP);
      expect(lastFrame()).toContain('number 1.');
    }, { timeout: 10_000, interval: 30 });
  });

  it('tells the contact what was seen, and only that', async () => {
    const client = new MemoryClient();
    for (let i = 1; i <= 40; i++) client.receive(BOB, `${i}`);
    const { shows, type } = await open(client);
    await vi.waitFor(() => expect(client.calls).toEqual([['markRead', BOB.id, 40]]));
    type(PAGE_UP);
    await shows('PageDown and End');
    client.receive(BOB, 'unseen');
    await shows('1 new message below');
    expect(client.calls).toHaveLength(1);
  });

  it('says when the relay cannot be reached, and when it can again', async () => {
    const client = new MemoryClient();
    const { shows, lastFrame } = await open(client);
    client.tell({ type: 'relay', relay: { ...client.relay, online: false, reason: 'ECONNREFUSED' } });
    await shows('relay offline, messages stay queued');
    client.tell({ type: 'relay', relay: client.relay });
    await vi.waitFor(() => expect(lastFrame()).not.toContain('offline'));
    client.tell({ type: 'path', contact: { ...client.contactStatus(BOB), path: 'direct', rttMs: 8 } });
    await shows(/direct since .*, 8 ms/);
  });

  it('answers its commands, and keeps a text that could not be sent', async () => {
    const client = new MemoryClient();
    const { shows, type, hasLeft } = await open(client);
    type('/help\r');
    await shows('read: seen', 'Esc: leave');
    type('/verify\r');
    await shows('12345 12345 12345 12345');
    type('/status\r');
    await shows('the contact has not been seen', 'policy direct');
    type('/nonsense\r');
    await shows('There is no /nonsense');
    client.people = [];
    type('important\r');
    await shows('No contact has this name', '> important');
    expect(hasLeft()).toBe(false);
  });

  it('sends a pasted text whole, and two typed lines as two', async () => {
    const client = new MemoryClient();
    const { type, shows } = await open(client);
    type('\u001b[200~one\rtwo\u001b[201~');
    await shows('two');
    type(ENTER);
    await vi.waitFor(() => expect(client.messages.map(({ text }) => text)).toEqual(['one\ntwo']));
    type('three\rfour\r');
    await vi.waitFor(() => expect(client.messages.map(({ text }) => text)).toEqual(['one\ntwo', 'three', 'four']));
  });

  it('leaves at Esc, Ctrl-C and /quit', async () => {
    for (const keys of ['\u001b', '\u0003', '/quit\r']) {
      const { type, hasLeft, unmount } = await open(new MemoryClient());
      type(keys);
      await vi.waitFor(() => expect(hasLeft()).toBe(true));
      unmount();
    }
  });

  it('keeps what was typed while the home is opened again, and sees what came meanwhile', async () => {
    const client = new MemoryClient();
    const { shows, type, rerender } = await open(client);
    type('half a sent');
    await shows('> half a sent');
    rerender(<Chat client={null} contact={BOB} onLeave={() => {}} />);
    await shows('opening', '> half a sent');
    client.receive(BOB, 'came meanwhile');
    rerender(<Chat client={client} contact={BOB} onLeave={() => {}} />);
    await shows('came meanwhile', '> half a sent');
  });
});

describe('what the screen keeps', () => {
  it('is in order and knows each message once, by the latest word on it', () => {
    const client = new MemoryClient();
    const [a, b, c] = ['a', 'b', 'c'].map((text) => client.receive(BOB, text));
    if (!a || !b || !c) throw new Error('three were received');
    expect(merge([a, c], [b, { ...c, state: 'read' }]).map(({ text, state }) => `${text} ${state}`)).toEqual(['a received', 'b received', 'c read']);
  });

  it('mentions another contact without showing their messages', () => {
    const client = new MemoryClient();
    const before = { messages: [], older: false, status: null, offline: [], notice: null };
    const after = afterEvent(before, { type: 'message', message: client.receive(CAROL, 'secret') }, BOB);
    expect(after.messages).toEqual([]);
    expect(after.notice).toBe('Carol has written to you as well.');
  });
});
