// Calls for tests of the core's functions: who dials, what the other side says, and a call that is open.

import { fromHex, utf8 } from '../../../crypto/bytes.js';
import { derive, hash } from '../../../crypto/hash.js';
import { sessionId } from '../../../crypto/session.js';
import type { Description } from '../../../client/core/description.js';
import * as direct from '../../../client/core/direct.js';
import type { Call, Contact, Memory } from '../../../client/core/memory.js';
import type { Answer, Bind, Offer, Presence } from '../../../client/core/message_pb.js';
import type { Output } from '../../../client/core/output.js';
import { meet, typesOf } from './support.js';
import type { Meeting } from './support.js';

export const [OURS, THEIRS] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
export const described = (fingerprint: Uint8Array): Description => ({ ufrag: 'abcd', pwd: 'x'.repeat(22), fingerprint, setup: 'actpass', candidates: [] });

export const offer = (fields: Partial<Offer> = {}): Offer => ({ call: new Uint8Array(16).fill(5), description: described(THEIRS), relayRttMs: 0, ...fields }) as unknown as Offer;
export const presence = (answer: boolean): Presence => ({ answer, last: 0 }) as Presence;
export const answerTo = (call: Call, fields: Partial<Answer> = {}): Answer => ({ call: fromHex(call.id), offerHash: call.offerHash!, description: described(THEIRS), ...fields }) as unknown as Answer;
export const dials = (outputs: readonly Output[]): number => typesOf(outputs).filter((type) => type === 'dial').length;

/** Ends and forgets all calls. */
export function rest({ memory }: Meeting): void {
  for (const contact of memory.contacts.values()) {
    direct.hangUp(memory, contact);
    Object.assign(contact, { callFailures: 0, nextCallAt: 0, nextGreetAt: 0, nextOfferAt: 0, why: 'away' });
  }
  memory.takeOutputs();
}

/** Two who have met, with all calls ended and forgotten, where Alice dials, or answers. */
export function meetAs(role: Call['role']): Meeting {
  for (let seed = 200; ; seed += 1) {
    const meeting = meet(seed);
    const { memory, bob } = meeting;
    if ((memory.id < bob.record.id) !== (role === 'offerer')) continue;
    rest(meeting);
    return meeting;
  }
}

/** Another contact with a call of their own, which nothing of Bob's may touch. */
export function bystander(meeting: Meeting): Call {
  const { world, alice, memory } = meeting;
  const carol = world.client('Carol');
  carol.accept(alice.invite());
  world.run(5_000);
  rest(meeting);
  const call: Call = { id: 'ca'.repeat(16), contact: carol.core.memory.id, role: 'offerer', startedAt: 0, phase: 'dialing', offerHash: OURS, remote: null, fingerprints: null, relayed: false, relayedThere: false, proof: null };
  memory.calls.set(call.id, call);
  return call;
}

export function onlyCall(memory: Memory): Call {
  const [call, ...others] = memory.calls.values();
  if (call === undefined || others.length > 0) throw new Error('not one call');
  return call;
}

/** What the other side says that it sees. */
export function bindOf(contact: Contact, call: Call, [local, remote] = [OURS, THEIRS]): Bind {
  const key = hash('bind', sessionId(contact.session!));
  const role = call.role === 'offerer' ? 'answerer' : 'offerer';
  return { call: fromHex(call.id), proof: derive(key, 'bind', fromHex(call.id), utf8(role), remote, local).left, relayed: false } as unknown as Bind;
}

/** A call of Alice's that Bob has answered. */
export function dialed({ memory, bob }: Meeting): Call {
  direct.onAlive(memory, bob);
  const call = [...memory.calls.values()].at(-1)!;
  direct.onDescription(memory, call, bob, described(OURS));
  direct.onAnswer(memory, bob, answerTo(call));
  return call;
}

/** A call that is open and proven. */
export function opened(meeting: Meeting): Call {
  const { memory, bob } = meeting;
  const call = dialed(meeting);
  direct.onOpen(memory, call, bob, OURS, THEIRS);
  direct.onBind(memory, bob, bindOf(bob, call));
  if (bob.openCall !== call.id) throw new Error('the call is not open');
  memory.takeOutputs();
  return call;
}
