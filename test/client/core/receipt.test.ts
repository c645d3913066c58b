// Receipts, with nothing but the functions of the core between the two: when one is owed, what it proves of our texts, what is sent again.

import { beforeAll, describe, expect, it } from 'vitest';
import { fromHex } from '../../../crypto/bytes.js';
import { ready } from '../../../crypto/sodium.js';
import { decrypt } from '../../../crypto/session.js';
import { decodeBody, TEXT_MAX_BYTES } from '../../../client/core/body.js';
import { giveUpGap, markRead, onReceipt, onRepeated, owe, sendReceipt, sendText } from '../../../client/core/conversation.js';
import type { Contact, Memory } from '../../../client/core/memory.js';
import type { Receipt } from '../../../client/core/message_pb.js';
import { expire, onPut } from '../../../client/core/outbox.js';
import { meetAs, opened } from './calls.js';
import { dueIn, hear, meet, puts, speech } from './support.js';
import type { Said } from './support.js';

beforeAll(ready);

describe('a receipt of ours', () => {
  it('is owed for many texts at once, and says what is here, what is not, and the newest id', () => {
    const { guest, memory, bob } = meet(16);
    const [one, , three] = speech(3) as [Said, Said, Said];
    memory.timers.clear(`receipt:${bob.record.id}`);
    memory.now = bob.lastReceiptAt + 20;
    hear(memory, bob, one, three);
    expect([bob.record.receiptOwed, dueIn(memory, `receipt:${bob.record.id}`)]).toEqual([true, 30]);
    memory.now += 5_000;
    memory.timers.clear(`receipt:${bob.record.id}`);
    owe(memory, bob);
    expect(dueIn(memory, `receipt:${bob.record.id}`)).toBe(0);
    memory.takeOutputs();
    sendReceipt(memory, bob);
    expect([bob.record.receiptOwed, bob.lastReceiptAt]).toEqual([false, memory.now]);
    const { bytes } = memory.takeOutputs().find((output) => output.type === 'put')!;
    const { body } = decrypt(guest.core.memory.contacts.get(memory.id)!.session!, bytes, memory.random, memory.now);
    expect(decodeBody(body).hello).toBeUndefined();
    expect(decodeBody(body).content.value).toMatchObject({ delivered: 3, lacking: [2], read: 0, again: false, last: 3, lastId: three.id });
  });

  it('stays owed while there is no session to seal it', () => {
    const { memory, bob } = meet(17);
    bob.session = null;
    sendReceipt(memory, bob);
    expect(bob.record.receiptOwed).toBe(true);
  });

  it('is owed once a minute to whoever repeats what is here', () => {
    const { memory, bob } = meet(18);
    const owed = (): boolean => {
      memory.update(bob, { receiptOwed: false });
      onRepeated(memory, bob);
      return bob.record.receiptOwed;
    };
    const first = owed();
    memory.now += 59_999;
    const early = owed();
    memory.now += 1;
    expect([first, early, owed()]).toEqual([true, false, true]);
  });

  it('tells what was read up to what was shown, and never less than before', () => {
    const { memory, bob } = meet(19);
    hear(memory, bob, ...speech(4));
    memory.update(bob, { receiptOwed: false });
    markRead(memory, bob, 3);
    expect([bob.record.readNumber, bob.record.unread, bob.record.receiptOwed]).toEqual([3, 1, true]);
    memory.update(bob, { receiptOwed: false });
    markRead(memory, bob, 3);
    markRead(memory, bob, 1);
    expect([bob.record.readNumber, bob.record.unread, bob.record.receiptOwed]).toEqual([3, 1, false]);
    markRead(memory, bob, 99);
    expect([bob.record.readNumber, bob.record.unread]).toEqual([4, 0]);
  });

  it('counts as unread only what is here', () => {
    const { memory, bob } = meet(20);
    const [one, , three, , five] = speech(5) as [Said, Said, Said, Said, Said];
    hear(memory, bob, one, three, five);
    giveUpGap(memory, bob);
    giveUpGap(memory, bob);
    expect([bob.record.readyNumber, bob.record.unread]).toEqual([5, 3]);
    markRead(memory, bob, 1);
    expect(bob.record.unread).toBe(2);
    markRead(memory, bob, 2);
    expect([bob.record.readNumber, bob.record.unread]).toEqual([2, 2]);
    markRead(memory, bob, 3);
    expect(bob.record.unread).toBe(1);
  });

  it('counts as read only what is read, whatever is missing further on', () => {
    const { memory, bob } = meet(36);
    const [one, two, , four] = speech(4) as [Said, Said, Said, Said];
    hear(memory, bob, one, two, four);
    markRead(memory, bob, 1);
    expect(bob.record.unread).toBe(1);
  });

  it('never counts more as unread than before, though some numbers are of what is here already', () => {
    const { memory, bob } = meet(37);
    const [one] = speech(1) as [Said];
    const again = (number: number): Said => ({ ...one, number, chain: new Uint8Array() });
    hear(memory, bob, one, again(2), again(3));
    markRead(memory, bob, 1);
    expect(bob.record.unread).toBe(1);
  });
});

describe('a text of ours', () => {
  it('is the answer to the request that sent it, as it is written', () => {
    const { memory, bob } = meet(38);
    sendText(memory, bob, 7, 'hello');
    const outputs = memory.takeOutputs();
    const message = bob.undelivered.get(1)!;
    expect(outputs).toContainEqual({ type: 'answer', request: 7, result: { type: 'sent', message } });
    expect(outputs).toContainEqual({ type: 'save', change: { kind: 'message', record: message } });
    expect(outputs).toContainEqual({ type: 'state', message });
  });

  it('is not empty, has so many bytes at most, and so many wait at most', () => {
    const { memory, bob } = meet(21);
    const refusal = (text: string): unknown => {
      try {
        sendText(memory, bob, 1, text);
        return null;
      } catch (error) {
        return (error as { code: unknown }).code;
      }
    };
    expect([refusal(''), refusal('x'.repeat(TEXT_MAX_BYTES + 1)), refusal('ß'.repeat(TEXT_MAX_BYTES / 2 + 1))]).toEqual(['message-empty', 'message-too-large', 'message-too-large']);
    expect([refusal('x'.repeat(TEXT_MAX_BYTES)), bob.record.sentNumber]).toEqual([null, 1]);
    const [text] = bob.undelivered.values();
    for (let number = 10_002; bob.undelivered.size < 4_999; number += 1) bob.undelivered.set(number, { ...text!, number });
    expect([refusal('the last that has room'), bob.undelivered.size]).toEqual([null, 5_000]);
    expect(refusal('one too many')).toBe('outbox-full');
  });
});

describe('a receipt of a contact', () => {
  /** So many texts that the relay has accepted. */
  function accepted(seed: number, length: number): { memory: Memory; bob: Contact; states(): string[] } {
    const { memory, bob } = meet(seed);
    const states = new Map<number, string>();
    const watch = memory.saveText.bind(memory);
    memory.saveText = (record, event) => {
      states.set(record.number, record.reason === null ? record.state : `${record.state} ${record.reason}`);
      watch(record, event);
    };
    for (let number = 1; number <= length; number += 1) sendText(memory, bob, number, `text ${number}`);
    for (const { record } of bob.outgoing.values()) onPut(memory, bob, record.envelope, null);
    memory.takeOutputs();
    return { memory, bob, states: () => [...states.values()] };
  }

  const receipt = (fields: Partial<Receipt>): Receipt => ({ delivered: 0, lacking: [], read: 0, again: false, last: 0, lastId: new Uint8Array(), ...fields }) as Receipt;

  it('proves what is delivered and read, and nothing else', () => {
    const { memory, bob, states } = accepted(30, 4);
    expect(onReceipt(memory, bob, receipt({ delivered: 3, lacking: [2] }))).toBe(true);
    expect(states()).toEqual(['delivered', 'accepted', 'delivered', 'accepted']);
    onReceipt(memory, bob, receipt({ delivered: 3, lacking: [2], read: 1 }));
    expect([states(), [...bob.undelivered.keys()], [...bob.unread.keys()]]).toEqual([['read', 'accepted', 'delivered', 'accepted'], [2, 4], [3]]);
    // Of a text that is read nothing is kept to compare.
    expect(onReceipt(memory, bob, receipt({ delivered: 4, last: 1, lastId: new Uint8Array(16) }))).toBe(true);
    expect([states(), bob.outgoing.size]).toEqual([['read', 'delivered', 'delivered', 'delivered'], 0]);
  });

  it('leaves no more than a thousand texts to wait for being read', () => {
    const { memory, bob } = accepted(39, 1);
    const [text] = bob.undelivered.values();
    for (let number = 2; number <= 1_001; number += 1) bob.unread.set(number, { ...text!, number, state: 'delivered' });
    onReceipt(memory, bob, receipt({ delivered: 1 }));
    expect([bob.unread.size, bob.unread.has(2), bob.unread.has(1)]).toEqual([1_000, false, true]);
  });

  it('says by which path a text has come: by the one that took it last', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    sendText(memory, bob, 1, 'by the relay');
    onPut(memory, bob, [...bob.outgoing.keys()][0]!, null);
    opened(meeting);
    sendText(memory, bob, 2, 'by both');
    sendText(memory, bob, 3, 'by the direct path');
    const [, both] = [...bob.outgoing.values()];
    both!.via = 'relay';
    onPut(memory, bob, both!.record.envelope, null);
    memory.takeOutputs();
    onReceipt(memory, bob, receipt({ delivered: 3 }));
    expect(memory.takeOutputs().flatMap((output) => (output.type === 'state' ? [output.message] : []))).toEqual([...bob.unread.values()]);
    expect([...bob.unread.values()].map(({ path }) => path)).toEqual(['relay', 'relay', 'direct']);
  });

  it('makes room for texts that wait for a path', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    opened(meeting);
    for (let number = 1; number <= 502; number += 1) sendText(memory, bob, number, `text ${number}`);
    memory.takeOutputs();
    onReceipt(memory, bob, receipt({ delivered: 1 }));
    expect([memory.takeOutputs().filter(({ type }) => type === 'peer-send').length, bob.inFlight, bob.waiting.length]).toEqual([1, 500, 1]);
  });

  it.each([
    ['more than was sent', { delivered: 3 }],
    ['to have read more than was sent', { read: 3 }],
    ['to have a newer one than was sent', { last: 3, lastId: new Uint8Array(16) }],
    ['another text under a number of ours', { delivered: 2, last: 2, lastId: new Uint8Array(16) }],
  ])('that claims %s is of a newer copy of this home, and is not believed', (_claim, fields) => {
    const { memory, bob, states } = accepted(31, 2);
    expect(onReceipt(memory, bob, receipt(fields))).toBe(false);
    expect(states()).toEqual(['accepted', 'accepted']);
  });

  it('of the newest text is believed by its id, whatever has become of the text, and for numbers before a reset without one', () => {
    const { memory, bob, states } = accepted(32, 3);
    const ids = [...bob.undelivered.values()].map(({ id }) => fromHex(id));
    expect(onReceipt(memory, bob, receipt({ delivered: 1, last: 1, lastId: ids[0]! }))).toBe(true);
    expect(onReceipt(memory, bob, receipt({ delivered: 1, last: 1, lastId: ids[1]! }))).toBe(false);
    expect(onReceipt(memory, bob, receipt({ delivered: 1, last: 1, lastId: ids[0]! }))).toBe(true);
    fail(memory, bob, 2);
    expect(onReceipt(memory, bob, receipt({ delivered: 2, lacking: [2], last: 2, lastId: ids[0]! }))).toBe(false);
    memory.update(bob, { sentFirst: 3 });
    expect(onReceipt(memory, bob, receipt({ delivered: 2, lacking: [2], last: 2, lastId: ids[0]! }))).toBe(true);
    expect(onReceipt(memory, bob, receipt({ delivered: 3, last: 3, lastId: ids[0]! }))).toBe(false);
    expect(states()).toEqual(['delivered', 'failed expired', 'accepted']);
  });

  it('puts right what has failed here, unless the number was given up or is of before a reset', () => {
    const { memory, bob, states } = accepted(33, 5);
    for (const number of [1, 2, 3, 4, 5]) fail(memory, bob, number);
    memory.update(bob, { sentFirst: 2 });
    onReceipt(memory, bob, receipt({ delivered: 4, lacking: [3] }));
    expect(states()).toEqual(['failed expired', 'delivered', 'failed expired', 'delivered', 'failed expired']);
    expect([[...bob.failed.keys()], [...bob.unread.keys()]]).toEqual([[1, 3, 5], [2, 4]]);
  });

  it('that asks again is given what can be given, now and then; the rest is settled', () => {
    const { memory, bob, states } = accepted(34, 4);
    fail(memory, bob, 1);
    const [, , third] = [...bob.undelivered.values()];
    bob.undelivered.delete(2);
    bob.failed.set(2, { ...third!, number: 2, state: 'failed', reason: 'envelope-too-large' });
    const ask = (): void => void onReceipt(memory, bob, receipt({ delivered: 4, lacking: [1, 2, 3, 4], again: true }));
    sendText(memory, bob, 9, 'still on its way');
    memory.takeOutputs();
    ask();
    // Texts 1, 3 and 4, and what is settled of the rest.
    const given = memory.takeOutputs();
    expect(given.flatMap((output) => (output.type === 'state' ? [[output.message.number, output.message.reason]] : []))).toEqual([[2, 'given-up']]);
    expect([puts(given), [...bob.byNumber.keys()].toSorted()]).toEqual([4, [1, 3, 4, 5]]);
    expect(states().at(1)).toBe('failed given-up');
    ask();
    expect(puts(memory.takeOutputs())).toBe(0);
    memory.now += 1_499;
    for (const { record } of bob.outgoing.values()) onPut(memory, bob, record.envelope, null);
    memory.takeOutputs();
    ask();
    expect(puts(memory.takeOutputs())).toBe(0);
    memory.now += 1;
    ask();
    expect(puts(memory.takeOutputs())).toBe(4);
  });

  it('that asks for what is still on its way, or was never sent, is given nothing', () => {
    const { memory, bob } = accepted(35, 0);
    sendText(memory, bob, 1, 'on its way');
    memory.takeOutputs();
    onReceipt(memory, bob, receipt({ delivered: 1, lacking: [1, 2], again: true }));
    expect(puts(memory.takeOutputs())).toBe(0);
  });

  /** As the timer of expiry does, when the life of its envelope is over. */
  function fail(memory: Memory, contact: Contact, number: number): void {
    const outgoing = contact.byNumber.get(number)!;
    outgoing.record = { ...outgoing.record, expiresAt: memory.now };
    expire(memory);
  }
});
