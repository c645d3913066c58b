// What a contact says of a call, with nothing but the functions of the core: which words count, and what a path must prove.

import { beforeAll, describe, expect, it } from 'vitest';
import { fromHex } from '../../../crypto/bytes.js';
import { hash } from '../../../crypto/hash.js';
import { decrypt } from '../../../crypto/session.js';
import { ready } from '../../../crypto/sodium.js';
import { decodeBody } from '../../../client/core/body.js';
import * as direct from '../../../client/core/direct.js';
import type { Call, Contact, Memory } from '../../../client/core/memory.js';
import type { Bind, Candidates } from '../../../client/core/message_pb.js';
import type { Output } from '../../../client/core/output.js';
import { answerTo, bindOf, bystander, described, dialed, meetAs, offer, onlyCall, opened, OURS, THEIRS } from './calls.js';
import { dueIn, noticesOf, typesOf } from './support.js';
import type { Meeting } from './support.js';

beforeAll(ready);

/** What the contact hears of what goes to them by the relay. */
function heardOf({ guest, memory }: Meeting, outputs: readonly Output[]): unknown[] {
  const { session } = guest.core.memory.contacts.get(memory.id)!;
  return outputs.filter((output) => output.type === 'put').map(({ bytes }) => decodeBody(decrypt(session!, bytes, memory.random, memory.now).body).content);
}

describe('a presence of ours', () => {
  it.each<[string, boolean, (memory: Memory, contact: Contact) => void]>([
    ['a greeting', false, direct.greet],
    ['the news that a mailbox is collected again', true, direct.tellCollected],
    ['the question for a receipt', false, (memory, contact) => {
      contact.undelivered.set(1, {} as never);
      direct.askForReceipt(memory, contact);
    }],
  ])('as %s says whether it is an answer (%s), and how far we have written', (_what, answer, act) => {
    const meeting = meetAs('answerer');
    const { memory, bob } = meeting;
    memory.update(bob, { sentNumber: 3 });
    act(memory, bob);
    expect(heardOf(meeting, memory.takeOutputs())).toMatchObject([{ case: 'presence', value: { answer, last: 3 } }]);
    // Nothing is expected of a path that there is none of.
    expect(dueIn(memory, `race:${bob.record.id}`)).toBeUndefined();
  });
});

describe('an offer', () => {
  it('of ours says in whole milliseconds how far we are from our relay', () => {
    const meeting = meetAs('offerer');
    const { memory } = meeting;
    memory.links.set(`deposit ${memory.self.relay}`, { online: true, rttMs: 4.6 });
    dialed(meeting);
    expect(heardOf(meeting, memory.takeOutputs())).toMatchObject([{ case: 'offer', value: { relayRttMs: 5 } }]);
  });

  it('is taken by the higher identity only, and not more often than twice a second', () => {
    const dialer = meetAs('offerer');
    direct.onOffer(dialer.memory, dialer.bob, offer());
    expect(dialer.memory.calls.size).toBe(0);
    const { memory, bob } = meetAs('answerer');
    bob.nextOfferAt = memory.now + 1;
    direct.onOffer(memory, bob, offer());
    expect(memory.calls.size).toBe(0);
    bob.nextOfferAt = memory.now;
    direct.onOffer(memory, bob, offer());
    expect([onlyCall(memory).role, bob.nextOfferAt]).toEqual(['answerer', memory.now + 500]);
    expect(dueIn(memory, `call:${onlyCall(memory).id}`)).toBe(8_000);
  });

  it('that comes again changes nothing; another takes its place, and touches neither the open path nor another contact', () => {
    const meeting = meetAs('answerer');
    const { memory, bob } = meeting;
    const others = bystander(meeting);
    direct.onOffer(memory, bob, offer());
    const first = memory.calls.get('05'.repeat(16))!;
    memory.now += 500;
    direct.onOffer(memory, bob, offer());
    expect(memory.calls.get(first.id)).toBe(first);
    first.phase = 'open';
    direct.onOffer(memory, bob, offer({ call: new Uint8Array(16).fill(6) }));
    memory.now += 500;
    direct.onOffer(memory, bob, offer({ call: new Uint8Array(16).fill(7) }));
    expect([...memory.calls.keys()].toSorted()).toEqual([first.id, '07'.repeat(16), others.id].toSorted());
    // What gives way to another call has not failed.
    expect([bob.callFailures, bob.why]).toEqual([0, 'dialing']);
  });

  it('makes whoever is clearly farther from the relay the DTLS client', () => {
    const { memory, bob } = meetAs('answerer');
    memory.links.set(`deposit ${memory.self.relay}`, { online: true, rttMs: 50 });
    const dtls = [39, 40].map((relayRttMs, index) => {
      memory.now += 500;
      direct.onOffer(memory, bob, offer({ call: new Uint8Array(16).fill(index), relayRttMs }));
      return memory.takeOutputs().find((output) => output.type === 'peer-remote')?.dtls;
    });
    expect(dtls).toEqual(['client', 'server']);
  });
});

describe('an answer', () => {
  it('names the offer by its hash as PROTOCOL.md §8 has it', () => {
    const words = ['abcd', 'x'.repeat(22), 'actpass', 'one\ntwo'].map((word) => new TextEncoder().encode(word));
    const [ufrag, pwd, setup, candidates] = words as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    expect(direct.hashOffer('05'.repeat(16), { ...described(OURS), candidates: ['one', 'two'] })).toEqual(hash('offer', new Uint8Array(16).fill(5), ufrag, pwd, OURS, setup, candidates));
  });

  it('counts once, from the contact who was dialed, and for the offer that was made', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const others = bystander(meeting);
    direct.onAlive(memory, bob);
    const call = [...memory.calls.values()].at(-1)!;
    direct.onAnswer(memory, bob, answerTo(call, { offerHash: OURS }));
    direct.onDescription(memory, call, bob, described(OURS));
    direct.onAnswer(memory, bob, answerTo(call, { offerHash: OURS }));
    direct.onAnswer(memory, bob, answerTo(others));
    direct.onAnswer(memory, bob, answerTo(call, { call: OURS }));
    expect([call.remote, others.remote]).toEqual([null, null]);
    memory.takeOutputs();
    direct.onAnswer(memory, bob, answerTo(call));
    direct.onAnswer(memory, bob, answerTo(call, { description: described(OURS) as never }));
    expect(call.remote).toEqual(described(THEIRS));
    expect(memory.takeOutputs()).toEqual([{ type: 'peer-remote', call: call.id, description: described(THEIRS), dtls: 'client' }]);
  });

  it('to a call that the contact has made is nothing', () => {
    const { memory, bob } = meetAs('answerer');
    direct.onOffer(memory, bob, offer());
    const call = onlyCall(memory);
    call.remote = null;
    direct.onAnswer(memory, bob, answerTo(call));
    expect(call.remote).toBeNull();
  });
});

describe('candidates', () => {
  it('of ours go to the contact inside the session, with the call that they are of', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const call = dialed(meeting);
    memory.takeOutputs();
    direct.onLocalCandidates(memory, call, bob, ['x', 'y']);
    expect(heardOf(meeting, memory.takeOutputs())).toMatchObject([{ case: 'candidates', value: { call: fromHex(call.id), candidates: ['x', 'y'] } }]);
  });

  it('go to a call of the contact who sent them, and to no other', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const others = bystander(meeting);
    const call = dialed(meeting);
    memory.takeOutputs();
    const from = (id: string): Candidates => ({ call: fromHex(id), candidates: ['x'] }) as unknown as Candidates;
    direct.onCandidates(memory, bob, from(others.id));
    direct.onCandidates(memory, bob, from('00'.repeat(16)));
    expect(memory.takeOutputs()).toEqual([]);
    direct.onCandidates(memory, bob, from(call.id));
    expect(memory.takeOutputs()).toEqual([{ type: 'peer-candidates', call: call.id, candidates: ['x'] }]);
  });
});

describe('a path', () => {
  it.each<Call['role']>(['offerer', 'answerer'])('is used when both have proven which certificates they see, by the %s', (role) => {
    for (const isEarly of [false, true]) {
      const meeting = meetAs(role);
      const { memory, bob } = meeting;
      if (role === 'offerer') dialed(meeting);
      else direct.onOffer(memory, bob, offer());
      const call = onlyCall(memory);
      memory.takeOutputs();
      bob.pathSince = 0;
      memory.update(bob, { receiptOwed: false });
      if (isEarly) direct.onBind(memory, bob, bindOf(bob, call));
      expect([call.phase, bob.openCall, call.relayed, call.relayedThere]).toEqual(['dialing', null, false, false]);
      direct.onOpen(memory, call, bob, OURS, THEIRS);
      if (!isEarly) {
        expect([call.phase, bob.openCall]).toEqual(['binding', null]);
        direct.onBind(memory, bob, bindOf(bob, call));
      }
      const outputs = memory.takeOutputs();
      expect([call.phase, bob.openCall, bob.pathSince, noticesOf(outputs), dueIn(memory, `call:${call.id}`)]).toEqual(['open', call.id, memory.now, [], undefined]);
      expect(typesOf(outputs)).toContain('peer-send');
      // What the path before has lost of receipts is made good.
      expect(bob.record.receiptOwed).toBe(true);
    }
  });

  it.each<[string, (bob: Contact, call: Call) => Bind]>([
    ['another certificate of ours', (bob, call) => bindOf(bob, call, [THEIRS, THEIRS])],
    ['another certificate of theirs', (bob, call) => bindOf(bob, call, [OURS, OURS])],
    ['our own role', (bob, call) => bindOf(bob, { ...call, role: 'answerer' })],
    ['nothing', (_bob, call) => ({ call: fromHex(call.id), proof: new Uint8Array(32) }) as unknown as Bind],
  ])('is ended, and the person told, where the proof is of %s, whether it comes before or after the channel', (_what, prove) => {
    for (const isEarly of [false, true]) {
      const meeting = meetAs('offerer');
      const { memory, bob } = meeting;
      const call = dialed(meeting);
      memory.takeOutputs();
      if (isEarly) direct.onBind(memory, bob, prove(bob, call));
      direct.onOpen(memory, call, bob, OURS, THEIRS);
      if (!isEarly) direct.onBind(memory, bob, prove(bob, call));
      const outputs = memory.takeOutputs();
      expect([bob.openCall, memory.calls.size, noticesOf(outputs), dueIn(memory, `call:${call.id}`)]).toEqual([null, 0, ['fingerprint-mismatch'], undefined]);
      expect(typesOf(outputs)).toContain('hang-up');
    }
  });

  it('is ended where its certificate is not the one of the description, or no description has come', () => {
    for (const remote of [null, described(OURS)]) {
      const meeting = meetAs('offerer');
      const { memory, bob } = meeting;
      const call = dialed(meeting);
      memory.takeOutputs();
      call.remote = remote;
      direct.onBind(memory, bob, bindOf(bob, call));
      direct.onOpen(memory, call, bob, OURS, THEIRS);
      const outputs = memory.takeOutputs();
      expect([memory.calls.size, bob.openCall, noticesOf(outputs), typesOf(outputs).includes('peer-send')]).toEqual([0, null, ['fingerprint-mismatch'], false]);
    }
  });

  it('is proven by nobody but the contact, and once', () => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const others = bystander(meeting);
    direct.onBind(memory, bob, bindOf(bob, others));
    expect(others.proof).toBeNull();
    direct.onBind(memory, bob, { call: new Uint8Array(16), proof: OURS } as unknown as Bind);
    const call = opened(meeting);
    direct.onBind(memory, bob, { call: fromHex(call.id), proof: OURS } as unknown as Bind);
    expect([bob.openCall, memory.takeOutputs()]).toEqual([call.id, []]);
  });
});
