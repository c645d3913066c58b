// When a direct path is tried, with nothing but the functions of the core: who dials, how often, and what the end of a call leads to.

import { beforeAll, describe, expect, it } from 'vitest';
import { ready } from '../../../crypto/sodium.js';
import { sendText } from '../../../client/core/conversation.js';
import * as direct from '../../../client/core/direct.js';
import type { Contact, Memory } from '../../../client/core/memory.js';
import * as outbox from '../../../client/core/outbox.js';
import { answerTo, bindOf, bystander, described, dialed, dials, meetAs, offer, onlyCall, opened, OURS, presence, rest, THEIRS } from './calls.js';
import { dueIn, puts, typesOf } from './support.js';
import type { Meeting } from './support.js';

beforeAll(ready);

describe('a contact who is heard', () => {
  it('is dialed by the lower identity, once, and no sooner than may be', () => {
    const { memory, bob } = meetAs('offerer');
    bob.nextCallAt = memory.now + 1;
    direct.onAlive(memory, bob);
    expect(memory.takeOutputs()).toEqual([]);
    bob.nextCallAt = memory.now;
    direct.onAlive(memory, bob);
    direct.onAlive(memory, bob);
    expect([dials(memory.takeOutputs()), bob.why]).toEqual([1, 'dialing']);
  });

  it('is asked by the higher identity to dial, no sooner than may be', () => {
    const { memory, bob } = meetAs('answerer');
    bob.nextGreetAt = memory.now + 1;
    direct.onAlive(memory, bob);
    expect(memory.takeOutputs()).toEqual([]);
    bob.nextGreetAt = memory.now;
    direct.onAlive(memory, bob);
    direct.onAlive(memory, bob);
    const outputs = memory.takeOutputs();
    expect([puts(outputs), dials(outputs), bob.nextGreetAt]).toEqual([1, 0, memory.now + 5_000]);
  });

  it.each<[string, (meeting: Meeting) => void]>([
    ['may not see our address', ({ memory, bob }) => memory.update(bob, { policy: 'relay-only' })],
    ['has not answered yet', ({ memory, bob }) => memory.update(bob, { flight: new Uint8Array(1) })],
    ['was never heard before', ({ memory, bob }) => memory.update(bob, { heardAt: 0 })],
    ['has no session with us', ({ bob }) => { bob.session = null; }],
    ['meets a process that does not stay', ({ memory }) => Object.assign(memory, { direct: false })],
  ])('is neither dialed nor asked to dial where that contact %s', (_why, make) => {
    for (const role of ['offerer', 'answerer'] as const) {
      const meeting = meetAs(role);
      const { memory, bob } = meeting;
      make(meeting);
      direct.onAlive(memory, bob);
      direct.onOffer(memory, bob, offer());
      direct.redial(memory, bob);
      if (!memory.direct) direct.greet(memory, bob);
      expect(typesOf(memory.takeOutputs()).filter((type) => type !== 'save')).toEqual([]);
      expect(memory.calls.size).toBe(0);
    }
  });
});

describe('a presence', () => {
  it('that asks is answered by a call, or by another presence where no call may be made', () => {
    const { memory, bob } = meetAs('offerer');
    bob.nextCallAt = memory.now + 1;
    direct.onPresence(memory, bob, presence(false), 'relay');
    const early = memory.takeOutputs();
    expect([puts(early), dials(early)]).toEqual([1, 0]);
    bob.nextCallAt = memory.now;
    direct.onPresence(memory, bob, presence(false), 'relay');
    const due = memory.takeOutputs();
    expect([puts(due), dials(due)]).toEqual([0, 1]);
    // A call is under way, and no second is made.
    direct.onPresence(memory, bob, presence(false), 'relay');
    expect(dials(memory.takeOutputs())).toBe(0);
  });

  it('that asks the higher identity is answered by a presence; one that answers is not', () => {
    const { memory, bob } = meetAs('answerer');
    bob.nextGreetAt = memory.now + 1;
    direct.onPresence(memory, bob, presence(true), 'relay');
    expect(puts(memory.takeOutputs())).toBe(0);
    direct.onPresence(memory, bob, presence(false), 'relay');
    expect(puts(memory.takeOutputs())).toBe(1);
    const dialer = meetAs('offerer');
    direct.onPresence(dialer.memory, dialer.bob, presence(true), 'relay');
    expect(dials(dialer.memory.takeOutputs())).toBe(1);
  });

  it('that asks although a path is open finds a call beside it; by a peer connection it only asks for a receipt', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    opened(meeting);
    memory.update(bob, { receiptOwed: false });
    bob.nextCallAt = 0;
    direct.onPresence(memory, bob, presence(false), 'direct');
    expect([dials(memory.takeOutputs()), bob.record.receiptOwed]).toEqual([0, true]);
    direct.onPresence(memory, bob, presence(true), 'relay');
    expect(dials(memory.takeOutputs())).toBe(0);
    direct.onPresence(memory, bob, presence(false), 'relay');
    direct.onPresence(memory, bob, presence(false), 'relay');
    expect([dials(memory.takeOutputs()), memory.calls.size, bob.why]).toEqual([1, 2, 'dialing']);
  });
});

describe('the end of a call', () => {
  const waits = [1_000, 8_000, 30_000, 120_000, 600_000, 1_800_000, 1_800_000];

  it('is followed by another try, ever later where nothing works', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    for (const wait of waits) {
      bob.nextCallAt = 0;
      direct.onAlive(memory, bob);
      direct.onCallEnded(memory, onlyCall(memory), bob, 'timed-out');
      expect([bob.nextCallAt - memory.now, dueIn(memory, `redial:${bob.record.id}`), bob.why]).toEqual([wait, wait, 'failed']);
    }
  });

  it('is followed by a try at once where the path had worked, and by a later one where it had not, or swallowed envelopes', () => {
    for (const [openMs, how, wait, why] of [[3_000, 'ended', 1_000, 'ended'], [2_999, 'ended', 8_000, 'ended'], [3_000, 'swallowed', 8_000, 'failed']] as const) {
      const meeting = meetAs('offerer');
      const { memory, bob } = meeting;
      const call = opened(meeting);
      bob.callFailures = 1;
      memory.now += openMs;
      if (how === 'ended') direct.onCallEnded(memory, call, bob, 'gone');
      else direct.onSwallowed(memory, bob);
      expect([bob.openCall, bob.pathSince, bob.nextCallAt - memory.now, bob.why]).toEqual([null, memory.now, wait, why]);
      expect(typesOf(memory.takeOutputs()).filter((type) => type === 'path').length).toBeGreaterThan(0);
    }
  });

  it('beside an open path changes nothing of that', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const call = opened(meeting);
    direct.onNetworkChanged(memory);
    const [, second] = [...memory.calls.values()];
    const why = bob.why;
    memory.takeOutputs();
    direct.onCallEnded(memory, second!, bob, 'timed-out');
    expect([bob.openCall, bob.why, bob.callFailures, dueIn(memory, `redial:${bob.record.id}`)]).toEqual([call.id, why, 0, undefined]);
    expect(typesOf(memory.takeOutputs())).toEqual(['hang-up']);
  });

  it('of all that a contact has leaves those of others', () => {
    for (const act of [direct.hangUp, (memory: Memory, contact: Contact) => {
      memory.update(contact, { policy: 'relay-only' });
      direct.onPolicy(memory, contact);
    }]) {
      const meeting = meetAs('offerer');
      const { memory, bob } = meeting;
      const others = bystander(meeting);
      opened(meeting);
      act(memory, bob);
      expect([bob.openCall, [...memory.calls.values()]]).toEqual([null, [others]]);
    }
  });

  it('by our policy says so once, and leads to no other call', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    opened(meeting);
    direct.onNetworkChanged(memory);
    memory.takeOutputs();
    memory.update(bob, { policy: 'relay-only' });
    direct.onPolicy(memory, bob);
    // The end of the path, and why there is none.
    expect(typesOf(memory.takeOutputs()).filter((type) => type === 'path').length).toBe(2);
    expect([bob.why, dueIn(memory, `redial:${bob.record.id}`)]).toEqual(['policy', undefined]);
    memory.takeOutputs();
    memory.update(bob, { policy: 'direct' });
    direct.onPolicy(memory, bob);
    expect([puts(memory.takeOutputs()), bob.nextCallAt]).toEqual([1, 0]);
  });
});

describe('a change of the network', () => {
  it('makes the dialer of an open path dial beside it, and nobody else', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    Object.assign(bob, { callFailures: 3, nextCallAt: memory.now + 1 });
    direct.onNetworkChanged(memory);
    // What failed may work now.
    expect([memory.calls.size, bob.callFailures, bob.nextCallAt]).toEqual([0, 0, 0]);
    opened(meeting);
    direct.onNetworkChanged(memory);
    expect(memory.calls.size).toBe(2);
    rest(meeting);
    opened(meeting);
    memory.update(bob, { policy: 'relay-only' });
    direct.onNetworkChanged(memory);
    expect(memory.calls.size).toBe(1);
    const other = meetAs('answerer');
    other.bob.openCall = '00'.repeat(16);
    direct.onNetworkChanged(other.memory);
    expect(other.memory.calls.size).toBe(0);
  });

  it('replaces the old path only when the new one is proven, and says that once', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const old = opened(meeting);
    sendText(memory, bob, 1, 'by the old path, without a receipt');
    const { bytes } = [...bob.outgoing.values()][0]!.record;
    direct.onNetworkChanged(memory);
    const call = [...memory.calls.values()].at(-1)!;
    direct.onDescription(memory, call, bob, described(OURS));
    direct.onAnswer(memory, bob, answerTo(call));
    direct.onOpen(memory, call, bob, OURS, THEIRS);
    expect(bob.openCall).toBe(old.id);
    memory.takeOutputs();
    direct.onBind(memory, bob, bindOf(bob, call));
    const outputs = memory.takeOutputs();
    expect([bob.openCall, [...memory.calls.keys()]]).toEqual([call.id, [call.id]]);
    expect(outputs).toContainEqual({ type: 'peer-send', call: call.id, frame: bytes });
    expect(outputs.filter(({ type }) => type === 'hang-up' || type === 'path')).toEqual([{ type: 'hang-up', call: old.id }, { type: 'path', contact: bob.record.id }]);
  });
});

describe('a path by way of a TURN server', () => {
  it('is told of when it begins and ends, and a direct one is tried beside it now and then', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const call = opened(meeting);
    const upgrade = `upgrade:${bob.record.id}`;
    direct.onPair(memory, call, bob, false);
    expect([memory.takeOutputs(), dueIn(memory, upgrade)]).toEqual([[], undefined]);
    direct.onPair(memory, call, bob, true);
    expect([typesOf(memory.takeOutputs()), dueIn(memory, upgrade), memory.pathOf(bob)]).toEqual([['path', 'peer-send', 'save'], 600_000, 'turn']);
    memory.timers.clear(upgrade);
    bob.callFailures = 2;
    direct.upgrade(memory, bob);
    expect([memory.takeOutputs().find((output) => output.type === 'dial')?.turn, dueIn(memory, upgrade)]).toEqual([false, 600_000]);
    const second = [...memory.calls.values()].at(-1)!;
    direct.onPair(memory, second, bob, true);
    expect(memory.takeOutputs()).toEqual([]);
    memory.timers.clear(upgrade);
    direct.onPair(memory, call, bob, false);
    expect([typesOf(memory.takeOutputs()), dueIn(memory, upgrade)]).toEqual([['path', 'peer-send', 'save'], undefined]);
    direct.upgrade(memory, bob);
    expect([memory.takeOutputs(), dueIn(memory, upgrade)]).toEqual([[], undefined]);
  });

  it.each([
    [false, true, 'turn'],
    [true, false, 'turn'],
    [false, false, 'direct'],
  ] as const)('is known before it is used, by what we know of our address (%s) and what the contact says of theirs (%s): %s', (relayed, relayedThere, path) => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const call = dialed(meeting);
    direct.onPair(memory, call, bob, relayed);
    direct.onOpen(memory, call, bob, OURS, THEIRS);
    direct.onBind(memory, bob, { ...bindOf(bob, call), relayed: relayedThere });
    expect(memory.pathOf(bob)).toBe(path);
    expect(dueIn(memory, `upgrade:${bob.record.id}`) !== undefined).toBe(path === 'turn');
  });

  it('is told to the contact when our address changes, and believed when theirs does', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const call = opened(meeting);
    direct.onPair(memory, call, bob, true);
    expect(typesOf(memory.takeOutputs())).toEqual(['path', 'peer-send', 'save']);
    direct.onPair(memory, call, bob, false);
    expect(typesOf(memory.takeOutputs())).toEqual(['path', 'peer-send', 'save']);
    direct.onBind(memory, bob, { ...bindOf(bob, call), relayed: true });
    expect([typesOf(memory.takeOutputs()), memory.pathOf(bob)]).toEqual([['path'], 'turn']);
    direct.onBind(memory, bob, { ...bindOf(bob, call), relayed: true });
    expect([typesOf(memory.takeOutputs()), bob.openCall]).toEqual([[], call.id]);
    direct.onBind(memory, bob, bindOf(bob, call));
    expect([typesOf(memory.takeOutputs()), memory.pathOf(bob)]).toEqual([['path'], 'direct']);
  });

  it('is over with the path', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const call = opened(meeting);
    direct.onPair(memory, call, bob, true);
    direct.onCallEnded(memory, call, bob, 'gone');
    memory.takeOutputs();
    direct.upgrade(memory, bob);
    expect([memory.pathOf(bob), memory.takeOutputs()]).toEqual(['relay', []]);
  });

  it('is left by a call of the lower identity, where both are still wanted to go direct', () => {
    const answerer = meetAs('answerer');
    direct.onOffer(answerer.memory, answerer.bob, offer());
    const call = onlyCall(answerer.memory);
    answerer.bob.openCall = call.id;
    call.relayed = true;
    direct.upgrade(answerer.memory, answerer.bob);
    expect(answerer.memory.calls.size).toBe(1);
    const dialer = meetAs('offerer');
    direct.onPair(dialer.memory, opened(dialer), dialer.bob, true);
    dialer.memory.update(dialer.bob, { policy: 'relay-only' });
    direct.upgrade(dialer.memory, dialer.bob);
    expect(dialer.memory.calls.size).toBe(1);
  });

  it('is asked for only after a call has failed', () => {
    const { memory, bob } = meetAs('offerer');
    const turn = [0, 1].map((callFailures) => {
      bob.callFailures = callFailures;
      bob.nextCallAt = 0;
      direct.onAlive(memory, bob);
      const { turn: isAsked } = memory.takeOutputs().find((output) => output.type === 'dial')!;
      direct.hangUp(memory, bob);
      return isAsked;
    });
    expect(turn).toEqual([false, true]);
  });
});

describe('a mailbox that is collected again', () => {
  it('is told of by the relay, unless a greeting of this moment has said so', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    opened(meeting);
    direct.greet(memory, bob);
    memory.takeOutputs();
    const told = (): number => {
      direct.tellCollected(memory, bob);
      return puts(memory.takeOutputs());
    };
    memory.now += 999;
    expect(told()).toBe(0);
    memory.now += 1;
    expect([told(), told()]).toEqual([1, 0]);
  });
});

describe('the question for a receipt', () => {
  it('ends a direct path by which nothing comes back, and only where the relay can be used instead', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const race = (ms: number): boolean => {
      memory.now += ms;
      return outbox.race(memory, bob);
    };
    opened(meeting);
    bob.undelivered.set(1, {} as never);
    bob.heardDirectAt = memory.now;
    memory.now += 600_000;
    expect(race(0)).toBe(false);
    direct.askForReceipt(memory, bob);
    expect(dueIn(memory, `race:${bob.record.id}`)).toBe(3_000);
    expect(race(2_999)).toBe(false);
    bob.hold = { code: 'mailbox-full', until: memory.now + 2 };
    expect(race(1)).toBe(false);
    expect(race(1)).toBe(true);
    bob.heardDirectAt = memory.now;
    expect(race(0)).toBe(false);
  });

  it('is asked the less often the longer nobody has answered, and not without a text', () => {
    const { memory, bob } = meetAs('offerer');
    const ask = `ask:${bob.record.id}`;
    memory.timers.clear(ask);
    direct.askForReceipt(memory, bob);
    expect([memory.takeOutputs(), dueIn(memory, ask)]).toEqual([[], undefined]);
    bob.undelivered.set(1, {} as never);
    const waits = [0, 3_600_000, 30 * 86_400_000].map((silentMs) => {
      memory.update(bob, { heardAt: memory.now - silentMs });
      direct.askForReceipt(memory, bob);
      return dueIn(memory, ask);
    });
    expect(waits).toEqual([600_000, 1_800_000, 86_400_000]);
    expect(puts(memory.takeOutputs())).toBe(3);
  });

  it('goes out again by itself while there is no path', () => {
    const meeting = meetAs('answerer');
    const { memory, bob } = meeting;
    direct.redial(memory, bob);
    expect(puts(memory.takeOutputs())).toBe(1);
    bob.openCall = '00'.repeat(16);
    direct.redial(memory, bob);
    expect(memory.takeOutputs()).toEqual([]);
  });
});
