// What goes out, with nothing but the functions of the core: by which path, how much at a time, and what a refusal leads to.

import { beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../../crypto/bytes.js';
import { hash } from '../../../crypto/hash.js';
import { decrypt } from '../../../crypto/session.js';
import { ready } from '../../../crypto/sodium.js';
import { decodeBody } from '../../../client/core/body.js';
import { owe, sendAllAgain, sendText } from '../../../client/core/conversation.js';
import * as direct from '../../../client/core/direct.js';
import type { Contact, Memory } from '../../../client/core/memory.js';
import * as outbox from '../../../client/core/outbox.js';
import type { Output } from '../../../client/core/output.js';
import { meetAs, opened } from './calls.js';
import { dueIn, meet, puts } from './support.js';

beforeAll(ready);

const DAY = 86_400_000;
const PRESENCE = { case: 'presence', value: { answer: false, last: 0 } } as const;
const frames = (outputs: readonly Output[]): number => outputs.filter(({ type }) => type === 'peer-send').length;
const ttls = (outputs: readonly Output[]): number[] => outputs.filter((output) => output.type === 'put').map(({ ttlSeconds }) => ttlSeconds);
const envelopes = (contact: Contact): string[] => [...contact.outgoing.keys()];
const stateOf = (contact: Contact, number: number): unknown => {
  const { state, reason } = contact.undelivered.get(number) ?? contact.failed.get(number)!;
  return reason === null ? state : `${state} ${reason}`;
};

function send(memory: Memory, contact: Contact, ...texts: readonly string[]): Output[] {
  for (const text of texts) sendText(memory, contact, 1, text);
  return memory.takeOutputs();
}

describe('what goes by the relay', () => {
  it('is five hundred envelopes at a time, and the next ones when these are accepted', () => {
    const { memory, bob } = meet(301);
    const texts = Array.from({ length: 502 }, (_, index) => `text ${index}`);
    expect(puts(send(memory, bob, ...texts))).toBe(500);
    for (const { record: { envelope, bytes } } of bob.outgoing.values()) expect(envelope).toBe(toHex(hash('envelope', bytes)).slice(0, 32));
    expect([bob.inFlight, bob.waiting.length]).toEqual([500, 2]);
    outbox.onPut(memory, bob, envelopes(bob)[0]!, null);
    expect([puts(memory.takeOutputs()), bob.inFlight, bob.waiting.length]).toEqual([1, 500, 1]);
  });

  it('waits for the link, and before the contact has answered for our own mailbox, too', () => {
    const { memory, bob } = meet(302);
    const { outbox: { relay }, inbox } = bob.record;
    memory.links.set(`deposit ${relay}`, { online: false, rttMs: 0 });
    expect(puts(send(memory, bob, 'offline'))).toBe(0);
    direct.greet(memory, bob);
    expect(puts(memory.takeOutputs())).toBe(0);
    memory.links.set(`deposit ${relay}`, { online: true, rttMs: 0 });
    memory.update(bob, { helloOwed: true });
    memory.collected.delete(inbox.mailbox);
    outbox.flush(memory, bob);
    expect(puts(memory.takeOutputs())).toBe(0);
    memory.collected.add(inbox.mailbox);
    outbox.flush(memory, bob);
    expect(puts(memory.takeOutputs())).toBe(1);
    memory.collected.delete(inbox.mailbox);
    memory.update(bob, { helloOwed: false });
    expect(puts(send(memory, bob, 'known to collect elsewhere'))).toBe(1);
  });

  it('lives for thirty days at most, and a second at least, whatever the clock has done since', () => {
    const { memory, bob } = meet(303);
    const { relay } = bob.record.outbox;
    const again = (): number[] => {
      for (const id of envelopes(bob)) outbox.onPut(memory, bob, id, 'relay-unreachable');
      memory.takeOutputs();
      outbox.flush(memory, bob);
      return ttls(memory.takeOutputs());
    };
    memory.links.set(`deposit ${relay}`, { online: true, rttMs: 0 });
    expect(ttls(send(memory, bob, 'hello'))).toEqual([30 * DAY / 1000]);
    memory.now += DAY + 1;
    expect(again()).toEqual([29 * DAY / 1000]);
    memory.now -= 3 * DAY;
    expect(again()).toEqual([30 * DAY / 1000]);
    memory.now += 40 * DAY;
    expect(again()).toEqual([1]);
  });

  it('is put again after a refusal, ever later, and at once when the link is back', () => {
    const { memory, bob } = meet(304);
    send(memory, bob, 'hello');
    const timer = `put:${bob.record.id}`;
    const waits: number[] = [];
    for (let time = 0; time < 9; time += 1) {
      outbox.onPut(memory, bob, envelopes(bob)[0]!, 'mailbox-full');
      waits.push(dueIn(memory, timer)!);
      expect([bob.hold?.code, puts(memory.takeOutputs())]).toEqual(['mailbox-full', 0]);
      outbox.flush(memory, bob);
      expect(puts(memory.takeOutputs())).toBe(0);
      memory.now = bob.hold!.until;
      memory.timers.clear(timer);
      outbox.flush(memory, bob);
      expect(puts(memory.takeOutputs())).toBe(1);
    }
    // Chance adds a quarter at most, and no part of a millisecond.
    const least = [2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000];
    expect(waits.filter((wait, time) => wait < least[time]! || wait > 1.25 * least[time]! || !Number.isInteger(wait))).toEqual([]);
    outbox.onPut(memory, bob, envelopes(bob)[0]!, 'relay-unreachable');
    expect([dueIn(memory, timer), stateOf(bob, 1)]).toEqual([undefined, 'queued relay-unreachable']);
    outbox.flush(memory, bob);
    outbox.onPut(memory, bob, envelopes(bob)[0]!, null);
    expect([bob.putFailures, bob.hold, stateOf(bob, 1), bob.inFlight]).toEqual([0, null, 'accepted', 0]);
  });

  it('waits as long as it has failed before or the relay has advised, and by chance a quarter more at most', () => {
    for (const [failures, adviceMs, chance, waitMs] of [[0, 0, 0, 2_000], [0, 0, 255, 2_498], [8, 0, 0, 300_000], [8, 0, 255, 374_707], [0, 7_200_000, 0, 3_600_000], [0, 7_200_000, 255, 4_496_484]] as const) {
      const { memory, bob } = meet(318);
      send(memory, bob, 'hello');
      bob.putFailures = failures;
      Object.assign(memory, { random: (length: number) => new Uint8Array(length).fill(chance) });
      outbox.onPut(memory, bob, envelopes(bob)[0]!, 'relay-busy', adviceMs);
      expect([bob.hold!.until - memory.now, bob.putFailures]).toEqual([waitMs, failures + 1]);
    }
  });

  it('waits longer for one of several refusals, not for each, and keeps its order', () => {
    const { memory, bob } = meet(305);
    send(memory, bob, 'one', 'two', 'three');
    const [one, two, three] = envelopes(bob) as [string, string, string];
    for (const id of [three, one, two]) outbox.onPut(memory, bob, id, 'relay-busy');
    expect([bob.putFailures, bob.inFlight, bob.waiting.map(({ record, via }) => [record.number, via])]).toEqual([1, 0, [[1, null], [2, null], [3, null]]]);
    expect(puts(send(memory, bob, 'four'))).toBe(0);
  });

  it('that was refused is told of when it waits and when it no longer does, and what was taken at once is not', () => {
    const { memory, bob } = meet(314);
    const news = (answer: 'mailbox-full' | null): [number, number | undefined] => {
      outbox.onPut(memory, bob, envelopes(bob)[0]!, answer, 3_600_000);
      const paths = memory.takeOutputs().filter(({ type }) => type === 'path').length;
      return [paths, dueIn(memory, `put:${bob.record.id}`)];
    };
    send(memory, bob, 'refused');
    const [paths, wait] = news('mailbox-full');
    expect([paths, wait! >= 3_600_000]).toEqual([1, true]);
    // As if it had gone ahead.
    [...bob.outgoing.values()][0]!.via = 'relay';
    expect(news(null)).toEqual([1, undefined]);
    bob.outgoing.clear();
    send(memory, bob, 'taken at once');
    expect(news(null)).toEqual([0, undefined]);
  });

  it('that was accepted says when and by which path, and is not accepted again when it was sealed anew', () => {
    const { memory, bob } = meet(315);
    send(memory, bob, 'hello');
    const accept = (): Output[] => {
      outbox.onPut(memory, bob, envelopes(bob)[0]!, null);
      return memory.takeOutputs();
    };
    accept();
    const text = bob.undelivered.get(1)!;
    expect(text).toMatchObject({ state: 'accepted', path: 'relay', reason: null, acceptedAt: memory.now });
    memory.now += 1_000;
    sendAllAgain(memory, bob);
    expect(puts(memory.takeOutputs())).toBe(1);
    expect([accept().filter(({ type }) => type === 'state'), bob.undelivered.get(1)]).toEqual([[], text]);
  });

  it('is tried again two seconds after somebody was heard whose mailbox was full, and as before for any other reason', () => {
    const { memory, bob } = meet(316);
    const heard = (code: 'mailbox-full' | 'relay-busy', untilMs: number): [unknown, number] => {
      bob.hold = { code, until: memory.now + untilMs };
      outbox.expectRoom(memory, bob);
      return [{ ...bob.hold, until: bob.hold.until - memory.now }, memory.takeOutputs().length];
    };
    expect(heard('mailbox-full', 3_600_000)).toEqual([{ code: 'mailbox-full', until: 2_000 }, 1]);
    expect(dueIn(memory, `put:${bob.record.id}`)).toBe(2_000);
    for (const untilMs of [2_000, 1_999, 0]) expect(heard('mailbox-full', untilMs)).toEqual([{ code: 'mailbox-full', until: untilMs }, 0]);
    expect(heard('relay-busy', 3_600_000)).toEqual([{ code: 'relay-busy', until: 3_600_000 }, 0]);
  });

  it('is held after a start for the reason for which it was held before, if there was one, but never for a relay that was away', () => {
    const { memory, bob } = meet(317);
    const remembered = (reason: string | null): unknown => {
      bob.hold = null;
      const text = bob.undelivered.get(1);
      if (text !== undefined) bob.undelivered.set(1, { ...text, reason });
      outbox.rememberHold(memory, bob);
      return bob.hold;
    };
    expect(remembered(null)).toBeNull();
    send(memory, bob, 'hello');
    expect([remembered(null), remembered('relay-unreachable'), remembered('offline')]).toEqual([null, null, null]);
    expect(remembered('mailbox-full')).toEqual({ code: 'mailbox-full', until: memory.now });
  });

  it('says once why it waits', () => {
    const { memory, bob } = meet(306);
    send(memory, bob, 'hello');
    const told = (): number => memory.takeOutputs().filter(({ type }) => type === 'state').length;
    outbox.onPut(memory, bob, envelopes(bob)[0]!, 'relay-unreachable');
    const first = told();
    outbox.flush(memory, bob);
    outbox.onPut(memory, bob, envelopes(bob)[0]!, 'relay-unreachable');
    expect([first, told()]).toEqual([1, 0]);
  });

  it.each(['token-wrong', 'envelope-too-large'] as const)('has failed for good where the relay says %s', (code) => {
    const { memory, bob } = meet(307);
    send(memory, bob, 'one');
    owe(memory, bob);
    outbox.onPut(memory, bob, envelopes(bob)[0]!, code);
    expect([stateOf(bob, 1), bob.outgoing.size, bob.inFlight, bob.byNumber.size]).toEqual([`failed ${code}`, 0, 0, 0]);
    expect(memory.takeOutputs()).toContainEqual({ type: 'state', message: bob.failed.get(1) });
    outbox.enqueue(memory, bob, null, null);
    outbox.onPut(memory, bob, envelopes(bob)[0]!, code);
    expect([bob.outgoing.size, bob.inFlight]).toEqual([0, 0]);
  });

  it('has failed when its life is over, not before; an answer that comes later changes nothing', () => {
    const { memory, bob } = meet(308);
    send(memory, bob, 'hello');
    const [id] = envelopes(bob);
    memory.now += 30 * DAY - 1;
    outbox.expire(memory);
    expect([stateOf(bob, 1), dueIn(memory, 'expiry')]).toEqual(['queued', 3_600_000]);
    memory.now += 1;
    outbox.expire(memory);
    outbox.onPut(memory, bob, id!, null);
    expect([stateOf(bob, 1), bob.inFlight, bob.waiting]).toEqual(['failed expired', 0, []]);
  });

  it('says to whoever may not know yet who we are, and from which text on there will be some', () => {
    const { guest, memory, bob } = meet(312);
    const { session } = guest.core.memory.contacts.get(memory.id)!;
    const helloOf = ([output]: readonly Output[]) => decodeBody(decrypt(session!, (output as Extract<Output, { type: 'put' }>).bytes, memory.random, memory.now).body).hello;
    const putsOf = (outputs: readonly Output[]) => outputs.filter(({ type }) => type === 'put');
    memory.update(bob, { helloOwed: true });
    expect(helloOf(putsOf(send(memory, bob, 'one')))).toMatchObject({ name: 'Alice', first: 1 });
    expect(helloOf(putsOf(send(memory, bob, 'two')))).toMatchObject({ first: 1 });
    memory.update(bob, { helloOwed: false });
    expect(helloOf(putsOf(send(memory, bob, 'three')))).toBeUndefined();
  });

  it('is not sent when it was removed while it waited, and does not wait twice when a path is gone', () => {
    const { memory, bob } = meet(313);
    memory.links.set(`deposit ${bob.record.outbox.relay}`, { online: false, rttMs: 0 });
    send(memory, bob, 'one', 'two');
    outbox.reroute(memory, bob);
    expect([bob.waiting.length, bob.inFlight]).toEqual([2, 0]);
    outbox.remove(memory, bob, bob.waiting[0]!);
    expect([bob.waiting.map(({ record }) => record.number), bob.inFlight]).toEqual([[2], 0]);
  });

  it('is asked after in time, once it is accepted', () => {
    const { memory, bob } = meet(309);
    for (const name of ['ask', 'doubt']) memory.timers.clear(`${name}:${bob.record.id}`);
    send(memory, bob, 'one', 'two');
    const [one, two] = envelopes(bob);
    outbox.onPut(memory, bob, one!, null);
    memory.now += 1_000;
    outbox.onPut(memory, bob, two!, null);
    expect([dueIn(memory, `ask:${bob.record.id}`), dueIn(memory, `doubt:${bob.record.id}`)]).toEqual([599_000, 19_000]);
    // Accepted twice is accepted once.
    outbox.onPut(memory, bob, one!, null);
    expect(bob.inFlight).toBe(0);
  });
});

describe('what is worthless later', () => {
  it('is dropped where nobody answers, nobody can be reached, or there is no session', () => {
    const { memory, bob } = meet(310);
    const relay = `deposit ${bob.record.outbox.relay}`;
    const sent = (make: () => void): number => {
      make();
      outbox.sendTransient(memory, bob, PRESENCE, null);
      const lives = ttls(memory.takeOutputs());
      expect(lives.every((seconds) => seconds === 30)).toBe(true);
      return lives.length;
    };
    expect(sent(() => memory.update(bob, { unanswered: 99 }))).toBe(1);
    expect(sent(() => memory.update(bob, { unanswered: 100 }))).toBe(0);
    expect(sent(() => memory.update(bob, { unanswered: 0, flight: new Uint8Array(1_216) }))).toBe(0);
    expect(sent(() => memory.update(bob, { flight: null }))).toBe(1);
    expect(sent(() => memory.links.set(relay, { online: false, rttMs: 0 }))).toBe(0);
    memory.links.set(relay, { online: true, rttMs: 0 });
    expect(sent(() => { bob.session = null; })).toBe(0);
    outbox.enqueue(memory, bob, null, null);
    expect(memory.takeOutputs().filter(({ type }) => type !== 'save')).toEqual([]);
  });

  it('goes by the call that it belongs to, however long nobody has answered', () => {
    const { memory, bob } = meet(311);
    memory.update(bob, { unanswered: 1_000 });
    outbox.sendTransient(memory, bob, PRESENCE, 'ca11');
    const outputs = memory.takeOutputs();
    expect([frames(outputs), puts(outputs)]).toEqual([1, 0]);
  });
});

describe('what goes by the direct path', () => {
  it('goes by the relay as well when no receipt comes in time, and is not counted twice', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const race = `race:${bob.record.id}`;
    opened(meeting);
    const outputs = send(memory, bob, 'one');
    expect([frames(outputs), puts(outputs), bob.inFlight, dueIn(memory, race)]).toEqual([1, 0, 1, 3_000]);
    memory.now += 1_000;
    send(memory, bob, 'two');
    memory.now += 1_999;
    bob.heardDirectAt = 0;
    expect([outbox.race(memory, bob), puts(memory.takeOutputs())]).toEqual([false, 0]);
    memory.now += 1;
    bob.heardDirectAt = memory.now;
    memory.timers.clear(race);
    expect([outbox.race(memory, bob), puts(memory.takeOutputs()), bob.inFlight, dueIn(memory, race)]).toEqual([false, 1, 2, 3_000]);
    outbox.onPut(memory, bob, envelopes(bob)[0]!, null);
    expect([stateOf(bob, 1), bob.inFlight]).toEqual(['accepted', 1]);
    // What the relay has not been given is no news of the relay's.
    outbox.onPut(memory, bob, envelopes(bob)[1]!, null);
    expect([stateOf(bob, 2), bob.inFlight]).toEqual(['queued', 1]);
  });

  it('is not believed to arrive where nothing has come back in the same time', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    opened(meeting);
    send(memory, bob, 'one');
    memory.now += 3_000;
    bob.heardDirectAt = memory.now - 2_999;
    expect(outbox.race(memory, bob)).toBe(false);
    send(memory, bob, 'two');
    memory.now += 3_000;
    bob.heardDirectAt = memory.now - 3_000;
    memory.links.set(`deposit ${bob.record.outbox.relay}`, { online: false, rttMs: 0 });
    expect(outbox.race(memory, bob)).toBe(false);
    memory.links.set(`deposit ${bob.record.outbox.relay}`, { online: true, rttMs: 0 });
    // Where the relay takes nothing the path may be the only one.
    bob.hold = { code: 'mailbox-full', until: memory.now + 1 };
    expect(outbox.race(memory, bob)).toBe(false);
    bob.hold = { code: 'mailbox-full', until: memory.now };
    expect(outbox.race(memory, bob)).toBe(true);
  });

  it('is what the relay was given before the path was open, or as well, and has refused: at once, and once for each refusal', () => {
    const HOUR = 3_600_000;
    for (const code of ['mailbox-full', 'relay-unreachable'] as const) {
      const meeting = meetAs('offerer');
      const { memory, bob } = meeting;
      send(memory, bob, 'one');
      opened(meeting);
      const refuse = (): Output[] => {
        outbox.onPut(memory, bob, envelopes(bob)[0]!, code, HOUR);
        return memory.takeOutputs();
      };
      expect([frames(refuse()), bob.waiting, bob.inFlight, stateOf(bob, 1), outbox.holdOf(bob)]).toEqual([1, [], 1, 'queued', null]);
      expect(puts(refuse())).toBe(0);
      bob.hold = null;
      memory.now += 3_000;
      bob.heardDirectAt = memory.now;
      outbox.race(memory, bob);
      expect([puts(memory.takeOutputs()), bob.inFlight]).toEqual([1, 1]);
      expect([frames(refuse()), bob.waiting, bob.inFlight, stateOf(bob, 1)]).toEqual([1, [], 1, 'queued']);
    }
  });

  it('waits again, and says why, when the path ends while the relay takes nothing', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    send(memory, bob, 'one');
    outbox.onPut(memory, bob, envelopes(bob)[0]!, 'mailbox-full', 3_600_000);
    const call = opened(meeting);
    expect([stateOf(bob, 1), bob.waiting, bob.inFlight]).toEqual(['queued', [], 1]);
    send(memory, bob, 'two');
    expect(stateOf(bob, 2)).toBe('queued');
    direct.onCallEnded(memory, call, bob, 'gone');
    expect([stateOf(bob, 1), stateOf(bob, 2), bob.waiting.length, bob.inFlight]).toEqual(['queued mailbox-full', 'queued mailbox-full', 2, 0]);
  });

  it('goes by the relay by one envelope alone after a refusal, and the others when that was taken', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    opened(meeting);
    send(memory, bob, 'one', 'two', 'three');
    bob.hold = { code: 'mailbox-full', until: memory.now };
    const race = (): number => {
      memory.now += 3_000;
      bob.heardDirectAt = memory.now;
      outbox.race(memory, bob);
      return puts(memory.takeOutputs());
    };
    expect([race(), race()]).toEqual([1, 0]);
    outbox.onPut(memory, bob, envelopes(bob)[0]!, null);
    expect([race(), bob.inFlight]).toEqual([2, 2]);
  });

  it('needs no race when it is all received', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    opened(meeting);
    send(memory, bob, 'one');
    outbox.remove(memory, bob, [...bob.outgoing.values()][0]!);
    memory.timers.clear(`race:${bob.record.id}`);
    expect([outbox.race(memory, bob), dueIn(memory, `race:${bob.record.id}`), bob.inFlight]).toEqual([false, undefined, 0]);
  });

  it('is done with at once where it is made good by the next of its kind', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    opened(meeting);
    outbox.enqueue(memory, bob, null, null);
    expect([frames(memory.takeOutputs()), bob.outgoing.size, bob.inFlight]).toEqual([1, 0, 0]);
  });

  it('is no reason to look at the path again when that is gone', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    opened(meeting);
    outbox.expectAnswer(memory, bob);
    bob.openCall = null;
    memory.timers.clear(`race:${bob.record.id}`);
    expect([outbox.race(memory, bob), dueIn(memory, `race:${bob.record.id}`)]).toEqual([false, undefined]);
  });

  it('goes by the relay in its order when the path is gone, also where more was written than the path takes at a time', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    opened(meeting);
    send(memory, bob, ...Array.from({ length: 501 }, (_, index) => `text ${index}`));
    expect(bob.waiting.map(({ record }) => record.number)).toEqual([501]);
    memory.links.set(`deposit ${bob.record.outbox.relay}`, { online: false, rttMs: 0 });
    bob.openCall = null;
    outbox.reroute(memory, bob);
    expect(bob.waiting.map(({ record }) => record.number)).toEqual(Array.from({ length: 501 }, (_, index) => index + 1));
  });

  it('goes by the relay when the path is gone, and what the relay had already been given stays with the relay', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    send(memory, bob, 'given to the relay');
    opened(meeting);
    send(memory, bob, 'two', 'three');
    bob.openCall = null;
    outbox.reroute(memory, bob);
    expect([puts(memory.takeOutputs()), bob.inFlight, bob.waiting]).toEqual([2, 3, []]);
  });
});
