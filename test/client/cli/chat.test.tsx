import { cleanup, render } from 'ink-testing-library';
import stringWidth from 'string-width';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Chat, type ChatProps } from '../../../client/cli/chat/chat.js';
import { afterEvent, afterNewest, merge, NOTHING } from '../../../client/cli/chat/conversation.js';
import { createKeyboard } from '../../../client/cli/chat/keyboard.js';
import { PAUSE_MS } from '../../../client/cli/chat/paste.js';
import { programWord } from '../../../client/cli/hint.js';
import type { MessageView } from '../../../client/client.js';
import { encodeBody, TEXT_MAX_BYTES } from '../../../client/core/body.js';
import { SottoError } from '../../../crypto/error.js';
import { BODY_MAX_BYTES } from '../../../crypto/session.js';
import { BOB, CAROL, MemoryClient } from '../../support/memory-client.js';

afterEach(cleanup);

/** Generous bound on anything that is waited for. */
const PATIENCE_MS = 60_000;

const [ENTER, ESCAPE, PAGE_UP, END, UP] = ['\r', '\u001b', '\u001b[5~', '\u001b[F', '\u001b[A'];
/** What Ink itself writes to colour a text. */
const COLOURS = new RegExp(`${'\u001b'}\\[[\\d;]*m`, 'g');

/** Opens a conversation with Bob, or what else is given, and waits until it has been loaded. */
async function open(client: MemoryClient, given: Partial<ChatProps> = {}, first: string | RegExp = / {2}(by the relay|direct) since|not connected/) {
  const keyboard = createKeyboard();
  let left = false;
  let failure: SottoError | null = null;
  let cursor = { row: -1, column: -1 };
  const element = (changed: Partial<ChatProps> = {}) => (
    <Chat
      client={client} contact={BOB} home={undefined} keyboard={keyboard} columns={80} rows={24} onLeave={() => (left = true)}
      onFailure={(error) => (failure = error)} onCursor={(row, column) => (cursor = { row, column })} {...given} {...changed}
    />
  );
  const screen = render(element());
  /** The screen as lines; spaces that don't break are spaces. */
  const lines = () => (screen.lastFrame() ?? '').replaceAll('\u00a0', ' ').split('\n');
  const shows = (...texts: readonly (string | RegExp)[]) => vi.waitFor(() => {
    for (const text of texts) expect(lines().join('\n')).toMatch(text);
  }, PATIENCE_MS);
  await shows(first);
  return {
    ...screen, shows, lines, type: keyboard.read, cursor: () => cursor, hasLeft: () => left, failure: () => failure,
    change: (changed: Partial<ChatProps>) => screen.rerender(element(changed)),
  };
}

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

  it('drops what it warned of a contact who is removed, and nothing of others', () => {
    const warnings = [{ contact: CAROL.id, other: 'Carol', text: 'of Carol' }, { contact: null, other: null, text: 'of nobody' }, { contact: BOB.id, other: null, text: 'of Bob' }];
    const before = { ...NOTHING, warnings };
    expect(afterEvent(before, { type: 'removed', contact: CAROL }, BOB).warnings.map(({ text }) => text)).toEqual(['of nobody', 'of Bob']);
    expect(afterEvent(before, { type: 'removed', contact: BOB }, BOB).warnings.map(({ text }) => text)).toEqual(['of Carol', 'of nobody']);
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

describe('what the screen keeps', () => {
  it('is in order and knows each message once, by the latest word on it', () => {
    const client = new MemoryClient();
    const [a, b, c] = ['a', 'b', 'c'].map((text) => client.receive(BOB, text));
    if (!a || !b || !c) throw new Error('three were received');
    expect(merge([a, c], [b, { ...c, state: 'read' }]).map(({ text, state }) => `${text} ${state}`)).toEqual(['a received', 'b received', 'c read']);
  });

  it('shows nothing as if it followed what is older than a gap', () => {
    const client = new MemoryClient();
    const messages = Array.from({ length: 300 }, (_, i) => client.receive(BOB, `${i}`));
    const begun = afterNewest(NOTHING, messages.slice(0, 100));
    expect(begun).toMatchObject({ older: true });
    expect(afterNewest(begun, messages.slice(50, 150))).toMatchObject({ messages: messages.slice(0, 150), older: true });
    const event: MessageView[] = messages.slice(299);
    const after = afterNewest({ ...begun, older: false, messages: [...begun.messages, ...event] }, messages.slice(199, 299));
    expect(after).toMatchObject({ messages: messages.slice(199), older: true });
  });

  it('mentions another contact without showing their messages', () => {
    const client = new MemoryClient();
    const after = afterEvent(NOTHING, { type: 'message', message: client.receive(CAROL, 'secret') }, BOB);
    expect(after.messages).toEqual([]);
    expect(after.news?.text).toBe('Carol has written to you as well.');
  });

  it('mentions somebody who waits for approval, and shows nothing of them', () => {
    const after = afterEvent(NOTHING, { type: 'request', request: new MemoryClient().waiting[0]! }, BOB);
    expect(after).toMatchObject({ messages: [], news: { text: 'Carol asks to be your contact; see "sotto requests".' } });
  });

  it('does not go on saying that a contact asks to begin anew who has done so', () => {
    const asked = afterEvent(NOTHING, { type: 'request', request: { ...new MemoryClient().waiting[0]!, isContact: true } }, BOB);
    expect(asked.news?.text).toBe('Carol asks to begin anew with you; see "sotto requests".');
    const replaced = (contact: typeof BOB) => afterEvent(asked, { type: 'notice', contact, code: 'session-replaced', text: 'Begun anew.' }, BOB);
    expect(replaced(CAROL)).toMatchObject({ news: null, warnings: [{ contact: CAROL.id, other: 'Carol', text: 'Begun anew.' }] });
    expect(replaced(BOB).news).toBe(asked.news);
  });
});
