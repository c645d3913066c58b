import { cleanup } from 'ink-testing-library';
import stringWidth from 'string-width';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { afterEvent, afterNewest, NOTHING } from '../../../client/cli/chat/conversation.js';
import { PAUSE_MS } from '../../../client/cli/chat/paste.js';
import { programWord } from '../../../client/cli/hint.js';
import { SottoError } from '../../../crypto/error.js';
import { BOB, CAROL, MemoryClient } from '../../support/memory-client.js';
import { END, ENTER, open, PAGE_UP, PATIENCE_MS } from './chat-support.js';

afterEach(cleanup);

/** What Ink itself writes to colour a text. */
const COLOURS = new RegExp(`${'\u001b'}\\[[\\d;]*m`, 'g');

describe('a conversation on the screen', () => {
  it('shows who, by which path, and what was said', async () => {
    const client = new MemoryClient();
    client.receive(BOB, 'hello there');
    await client.send('Bob', 'hi Bob');
    const { shows } = await open(client);
    await shows(/Bob {2}by the relay since ([\w ]+ )?\d\d:\d\d/, /Bob {2}hello there/, /you {2}hi Bob {2}sent/, '── today ──', '>');
  });

  it('sends what is typed and follows the message to its end', async () => {
    const client = new MemoryClient();
    client.sendState = 'queued';
    const { shows, type, lastFrame } = await open(client);
    type('see you');
    await shows('> see you');
    type(ENTER);
    await vi.waitFor(() => expect(client.calls).toContainEqual(['send', BOB.id, 'see you', { wait: 'queued' }]), PATIENCE_MS);
    const [message] = client.messages;
    if (!message) throw new Error('not sent');
    client.tell({ type: 'state', message });
    await shows(/you {2}see you {2}queued/);
    expect(lastFrame()).not.toContain('> see you');
    client.tell({ type: 'state', message: { ...message, reason: 'mailbox-full' } });
    await shows(/see you {2}queued\n +The contact's mailbox is full/);
    client.tell({ type: 'state', message: { ...message, state: 'failed', reason: 'token-wrong' } });
    await shows(/see you {2}failed\n +The contact no longer accepts messages from here\./);
    client.tell({ type: 'state', message: { ...message, state: 'delivered', path: 'direct' } });
    await shows(/see you {2}delivered, direct\n[^ ]/);
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
    await vi.waitFor(() => expect(lastFrame()).not.toContain('number 80.'), PATIENCE_MS);
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
    }, { timeout: PATIENCE_MS, interval: 30 });
  });

  it('tells the contact what was seen, and only that', async () => {
    const client = new MemoryClient();
    for (let i = 1; i <= 40; i++) client.receive(BOB, `${i}`);
    const { shows, type } = await open(client);
    await vi.waitFor(() => expect(client.calls).toEqual([['markRead', BOB.id, 40]]), PATIENCE_MS);
    type(PAGE_UP);
    await shows('PageDown and End');
    client.receive(BOB, 'unseen');
    await shows('1 new message below');
    expect(client.calls).toHaveLength(1);
  });

  it('says when the relay cannot be reached, and when it can again', async () => {
    const client = new MemoryClient();
    const { shows, lastFrame } = await open(client);
    client.tell({ type: 'relay', relay: { ...client.relay, online: false, reason: 'nothing listens there' } });
    client.tell({ type: 'path', contact: { ...client.contactStatus(BOB), connected: false } });
    await shows('Bob  not connected; messages stay queued', 'The relay cannot be reached: nothing listens there; it will be tried again.');
    client.tell({ type: 'path', contact: client.contactStatus(BOB) });
    client.tell({ type: 'relay', relay: { ...client.relay, reason: 'it is shutting down' } });
    await shows('Bob  by the relay since', 'The relay takes what you write, but brings nothing: it is shutting down;');
    client.tell({ type: 'relay', relay: client.relay });
    await vi.waitFor(() => expect(lastFrame()).not.toMatch(/not connected|shutting down/), PATIENCE_MS);
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
    await shows('The contact has not been seen', 'Direct paths are allowed', 'Nothing has come from them yet', 'Everything you wrote is delivered');
    type('/block\r');
    await shows('Blocked: what they write waits unread', '/unblock takes it back');
    expect([...client.blocked]).toEqual([BOB.id]);
    type('/unblock\r');
    await shows('Not blocked any more.');
    expect([...client.blocked]).toEqual([]);
    type('/nonsense\r');
    await shows('There is no /nonsense');
    client.people = [];
    type('\u0015important\r');
    await shows('No contact has this name', '> important');
    expect(hasLeft()).toBe(false);
  });

  it('shows no path to a contact who is blocked, and one again when they are taken back', async () => {
    const client = new MemoryClient();
    const { shows, type, lastFrame } = await open(client);
    await shows('Bob  by the relay since');
    client.tell({ type: 'notice', contact: BOB, code: 'blocked', text: '' });
    await shows('Bob  blocked; /unblock takes them back');
    expect(lastFrame()).not.toContain('by the relay since');
    await client.block(BOB.id);
    client.status = async () => ({ identity: BOB, relays: [], contacts: [] });
    type('/status\r');
    await shows('Blocked: what they write waits unread');
    client.tell({ type: 'notice', contact: BOB, code: 'unblocked', text: 'This contact is not blocked any more.' });
    client.tell({ type: 'path', contact: client.contactStatus(BOB) });
    await shows('Bob  by the relay since');
  });

  it('says from the beginning that the contact is blocked', async () => {
    const client = new MemoryClient();
    await client.block(BOB.id);
    client.status = async () => ({ identity: BOB, relays: [], contacts: [] });
    const { shows, type } = await open(client, {}, 'Bob  blocked; /unblock takes them back');
    client.send = () => Promise.reject(new SottoError('contact-blocked', 'You have blocked Bob; "sotto contacts unblock b0b0b0b0" takes them back.'));
    type('hello\r');
    await shows('You have blocked Bob; /unblock takes them back.', '> hello');
  });

  it('shows the whole of a notice, and its commands with the word and the home that were typed', async () => {
    const client = new MemoryClient();
    const { lines } = await open(client, { home: '/home/bob/sotto' });
    client.tell({ type: 'notice', contact: BOB, code: 'address-lost', text: 'What is sent to your address cannot be read by this home, whoever has sent it and whenever: take a new one with "sotto address --new".' });
    await vi.waitFor(() => expect(lines().join(' ').replaceAll(/ +/g, ' ')).toContain(`take a new one with "${programWord()} address --new --home /home/bob/sotto".`));
  });

  it('keeps each warning until it was read, and news behind them', async () => {
    const client = new MemoryClient();
    const { shows, type, lastFrame, lines } = await open(client);
    const warn = (text: string, contact: typeof BOB | null = BOB) => client.tell({ type: 'notice', contact, code: 'gap', text });
    client.tell({ type: 'contact', contact: CAROL });
    await shows('Carol is your contact now');
    warn('The first warning.');
    await shows('The first warning', 'Enter shows one more');
    warn('The second warning.', CAROL);
    warn('The first warning.');
    client.tell({ type: 'message', message: client.receive(CAROL, 'news') });
    await shows('The first warning', 'Enter shows the next of 2 more');
    expect(lastFrame()).not.toMatch(/Carol|second/);
    type(`read${ENTER}`);
    await shows('Carol: The second warning', 'Enter shows one more');
    type(ENTER);
    await shows('Carol has written to you as well');
    expect(lastFrame()).not.toMatch(/warning|more/);
    type(ENTER);
    await vi.waitFor(() => expect(lines().at(-2)).toMatch(/^Enter sends/), PATIENCE_MS);
    expect(client.messages.filter(({ direction }) => direction === 'out').map(({ text }) => text)).toEqual(['read']);
  });

  it('takes no warning for read that was out of sight', async () => {
    const client = new MemoryClient();
    for (let i = 1; i <= 80; i++) client.receive(BOB, `number ${i}.`, Date.now() - 3_600_000);
    const { shows, type } = await open(client);
    await shows('number 80.');
    type(PAGE_UP);
    await shows('PageDown and End go back');
    client.receive(BOB, 'number 81.');
    await shows('1 new message below');
    client.tell({ type: 'notice', contact: BOB, code: 'gap', text: 'A warning.' });
    type(ENTER);
    await shows('number 81.', 'A warning.');
  });

  it('shows the whole of a warning on a small screen', async () => {
    const client = new MemoryClient();
    const { lines } = await open(client, { columns: 40, rows: 10 });
    const text = 'This contact has begun anew by a link of yours: a new session takes the place of the old one. The safety number is the same.';
    client.tell({ type: 'notice', contact: BOB, code: 'session-replaced', text });
    await vi.waitFor(() => expect(lines().map((each) => each.trim()).join(' ')).toContain(text), PATIENCE_MS);
  });

  it('keeps nothing on the screen of a contact who is removed meanwhile', async () => {
    const client = new MemoryClient();
    client.receive(BOB, 'about to go');
    const { shows, lastFrame } = await open(client);
    await shows('about to go');
    await client.remove(BOB.id);
    await shows('Bob is removed from your contacts');
    expect(lastFrame()).not.toContain('about to go');
  });

  it('sends a pasted text whole, whether the terminal marks it or not, and two typed lines as two', async () => {
    const client = new MemoryClient();
    const { type, shows } = await open(client);
    type('\u001b[200~one\rtwo\u001b[201~');
    await shows('two');
    type(ENTER);
    await vi.waitFor(() => expect(client.messages.map(({ text }) => text)).toEqual(['one\ntwo']), PATIENCE_MS);
    type('three\rfour\r');
    await shows('four');
    expect(client.messages).toHaveLength(1);
    // An Enter is one again after a pause, however long this machine takes for it.
    await vi.waitFor(() => {
      if (client.messages.length === 1) type(ENTER);
      expect(client.messages).toHaveLength(2);
    }, { timeout: PATIENCE_MS, interval: 10 * PAUSE_MS });
    type(`five${ENTER}`);
    await vi.waitFor(() => expect(client.messages).toHaveLength(3), PATIENCE_MS);
    type(`six${ENTER}`);
    await vi.waitFor(() => expect(client.messages.map(({ text }) => text)).toEqual(['one\ntwo', 'three\nfour', 'five', 'six']), PATIENCE_MS);
  });

  it('throws away no draft at one Ctrl-C, and empties it at Ctrl-X', async () => {
    const { type, shows, hasLeft, lastFrame } = await open(new MemoryClient());
    type('a long draft');
    type('\u0003');
    await shows('again to leave without sending', 'a long draft');
    expect(hasLeft()).toBe(false);
    type('\u0018');
    await vi.waitFor(() => expect(lastFrame()).not.toContain('long draft'), PATIENCE_MS);
    type('\u0003');
    await vi.waitFor(() => expect(hasLeft()).toBe(true), PATIENCE_MS);
  });

  it('leaves at Esc, Ctrl-C and /quit', async () => {
    for (const keys of ['\u001b', '\u0003', '/quit\r']) {
      const { type, hasLeft, unmount } = await open(new MemoryClient());
      type(keys);
      await vi.waitFor(() => expect(hasLeft()).toBe(true), PATIENCE_MS);
      unmount();
    }
  });

  it('keeps what was typed while the home is opened again, and sees what came meanwhile', async () => {
    const client = new MemoryClient();
    const { shows, type, change } = await open(client);
    type('half a sent');
    await shows('> half a sent');
    change({ client: null });
    await shows('opening', '> half a sent');
    type('ence\r');
    await shows('One moment: the home is being opened', '> half a sentence');
    client.receive(BOB, 'came meanwhile');
    change({ client });
    await shows('came meanwhile', '> half a sentence');
    type(ENTER);
    await vi.waitFor(() => expect(client.messages.at(-1)?.text).toBe('half a sentence'), PATIENCE_MS);
  });
});

describe('a conversation that never lies', () => {
  it('shows an own text at once as queued and follows it in place, also when events overtake the history', async () => {
    const client = new MemoryClient();
    client.sendState = 'queued';
    const { shows, lines } = await open(client);
    const message = await client.send('Bob', 'only once');
    for (const [state, words] of [['queued', 'queued'], ['accepted', 'sent'], ['delivered', 'delivered'], ['read', 'read']] as const) {
      client.tell({ type: 'state', message: { ...message, state } });
      await shows(`only once  ${words}`);
      expect(lines().filter((text) => text.includes('only once'))).toHaveLength(1);
    }
    const read = afterEvent(NOTHING, { type: 'state', message: { ...message, state: 'read' } }, BOB);
    expect(afterNewest(read, [message]).messages.map(({ state }) => state)).toEqual(['read']);
    const queued = afterEvent(NOTHING, { type: 'state', message }, BOB);
    expect(afterNewest(queued, [{ ...message, state: 'read' }]).messages.map(({ state }) => state)).toEqual(['read']);
  });

  it('asks anew for /status, in words without codes', async () => {
    const client = new MemoryClient();
    const { type, shows } = await open(client);
    const contactStatus = client.contactStatus.bind(client);
    client.contactStatus = (contact) => ({
      ...contactStatus(contact), path: 'direct', pair: { local: '10.0.0.2:4000 host', remote: '[2001:db8::1]:5000 prflx' }, heardAt: Date.now(), undelivered: 1, policy: 'relay-only',
    });
    type('/status\r');
    await shows(/At \d\d:\d\d: direct since/, 'Your address is 10.0.0.2:4000, theirs [2001:db8::1]:5000.', 'Last heard from them: just now.',
      '1 of your messages is not delivered yet.', 'Only the relay is used: they never see your address.');
  });

  it('says that the direct path holds while the relay is away', async () => {
    const client = new MemoryClient();
    client.relay = { ...client.relay, online: false, reason: 'it does not answer' };
    const { shows } = await open(client);
    client.tell({ type: 'path', contact: { ...client.contactStatus(BOB), path: 'direct' } });
    await shows(/Bob {2}direct since/, 'it does not answer');
  });

  it('tells own messages apart from those of somebody called "you", whatever they write', async () => {
    const client = new MemoryClient();
    const you = { id: BOB.id, name: 'you' };
    client.receive(you, 'theirs\n> you  also theirs');
    await client.send('Bob', 'mine');
    const { shows, lines } = await open(client, { contact: you });
    await shows('mine');
    expect(lines().filter((text) => /^.{10}> /.test(text))).toEqual([expect.stringContaining('mine')]);
  });

  it('cuts a long name, so that the path stays in sight', async () => {
    const client = new MemoryClient();
    const name = '長い名前'.repeat(5);
    client.receive({ id: BOB.id, name }, 'hello');
    const { shows, lines } = await open(client, { contact: { id: BOB.id, name }, columns: 40, rows: 12 });
    await shows(/^長い名前.*… {2}by the relay/, 'hello');
    for (const text of lines()) expect(stringWidth(text)).toBeLessThanOrEqual(40);
  });

  it('ends when the store cannot be written, whether it is told or meets it', async () => {
    const told = new MemoryClient();
    const first = await open(told);
    told.tell({ type: 'notice', contact: null, code: 'store-failed', text: 'The disk is full.' });
    expect(first.failure()).toMatchObject({ code: 'store-failed', message: 'The disk is full.' });
    const met = new MemoryClient();
    const second = await open(met);
    met.held = Promise.reject(new SottoError('store-failed'));
    met.held.catch(() => {});
    second.type('hello\r');
    await vi.waitFor(() => expect(second.failure()).toMatchObject({ code: 'store-failed' }), PATIENCE_MS);
  });
});
