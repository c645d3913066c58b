// The direct path to a contact: when it is tried, how its signaling runs inside the session, when it is believed. Where no networks let
// it through, a TURN server forwards the packets of the same connection. A call is one attempt. The identity with the lower id dials, so that two never cross; the other asks to be dialed by Presence.
// A path is used only when both sides have proven, inside the session, which DTLS certificates they see (PROTOCOL.md §8).

import { equal, fromHex, toHex, utf8 } from '../../crypto/bytes.js';
import { derive, hash } from '../../crypto/hash.js';
import { sessionId } from '../../crypto/session.js';
import type { Description } from './description.js';
import { ID_BYTES } from './body.js';
import { owe } from './conversation.js';
import type { CallId } from './input.js';
import type { Answer, Bind, Candidates, Description as WireDescription, Offer, Presence } from './message_pb.js';
import { pathOfCall, type Call, type Contact, type Memory, type WhyRelay } from './memory.js';
import { ASK_AFTER_MS, expectAnswer, flush, reroute, sendTransient } from './outbox.js';
import type { PathName } from './records.js';

/** From dialing to an open, proven channel; libraries give up much later, by then a new call is better. */
const CALL_MS = 8_000;
/** Waits after calls that failed in a row. */
const REDIAL_MS = [1_000, 8_000, 30_000, 120_000, 600_000, 1_800_000] as const;
/** Shortest time between two greetings that nobody asked for. */
const GREET_INTERVAL_MS = 5_000;
/** A greeting this old was heard, and its hearer has tried our mailbox again, before it was collected. */
const JUST_GREETED_MS = 1_000;
/** Longest time between two questions for a receipt. */
const ASK_MAX_MS = 86_400_000;
/** A difference between two round trips that is more than noise. */
const CLEARLY_FARTHER_MS = 10;
/** How often a direct path is tried beside one by way of a TURN server. */
const UPGRADE_MS = 600_000;
/** A path that was open this long has worked. */
const PROVEN_MS = 3_000;
/** Shortest time between two offers that are taken: each costs a peer connection. */
const OFFER_INTERVAL_MS = 500;
/** Signaling older than this is about a call that is over. */
export const FRESH_MS = 20_000;

/** The contact was heard just now by the relay: try to go direct, or ask to be dialed. */
export function onAlive(memory: Memory, contact: Contact): void {
  if (!isWanted(memory, contact) || callOf(memory, contact) !== null) return;
  if (isDialer(memory, contact) && memory.now >= contact.nextCallAt) dial(memory, contact);
  else if (!isDialer(memory, contact) && memory.now >= contact.nextGreetAt) greet(memory, contact);
}

/** Tells the contact that we are here now, and up to where we have written. */
export function greet(memory: Memory, contact: Contact, answer = false): void {
  if (!memory.direct) return;
  contact.nextGreetAt = memory.now + GREET_INTERVAL_MS;
  sendTransient(memory, contact, { case: 'presence', value: { answer, last: contact.record.sentNumber } }, null);
}

/**
 * A contact's mailbox is collected again: whoever waits for room in it is to hear so by the relay. Nothing else may say it: a receipt goes by
 * the direct path, which may swallow it, or is not owed. A greeting of this moment serves as well.
 */
export function tellCollected(memory: Memory, contact: Contact): void {
  if (memory.now >= contact.nextGreetAt - GREET_INTERVAL_MS + JUST_GREETED_MS) greet(memory, contact, true);
}

/** A fresh Presence. By a peer connection it only asks for a receipt. */
export function onPresence(memory: Memory, contact: Contact, presence: Presence, path: PathName): void {
  owe(memory, contact);
  if (path !== 'relay') return;
  if (!presence.answer) {
    // Whoever greets has no open path, whatever we believe: dial beside the old one.
    const current = contact.openCall === null ? null : memory.calls.get(contact.openCall) ?? null;
    if (isWanted(memory, contact) && isDialer(memory, contact) && callOf(memory, contact) === current && memory.now >= contact.nextCallAt) dial(memory, contact);
    else greet(memory, contact, true);
    return;
  }
  onAlive(memory, contact);
}

/** Timer `ask:`: texts were accepted and nothing came back: they or their receipt may have been lost. The longer the contact has been silent, the less often. */
export function askForReceipt(memory: Memory, contact: Contact): void {
  if (contact.undelivered.size === 0) return;
  sendTransient(memory, contact, { case: 'presence', value: { answer: false, last: contact.record.sentNumber } }, contact.openCall);
  if (contact.openCall !== null) expectAnswer(memory, contact);
  const silentMs = memory.now - contact.record.heardAt;
  memory.timers.set(`ask:${contact.record.id}`, memory.now + Math.min(ASK_MAX_MS, Math.max(ASK_AFTER_MS, Math.floor(silentMs / 2))));
}

/** The network has changed: what was open may be dead, and what failed may work now. */
export function onNetworkChanged(memory: Memory): void {
  for (const contact of memory.contacts.values()) {
    contact.callFailures = 0;
    contact.nextCallAt = 0;
    if (isWanted(memory, contact) && isDialer(memory, contact) && contact.openCall !== null) dial(memory, contact);
  }
}

/** Ends every call: the session that it was proven in is over. */
export function hangUp(memory: Memory, contact: Contact): void {
  for (const call of memory.calls.values()) if (call.contact === contact.record.id) end(memory, contact, call, 'replaced');
}

/** The person's policy has changed. */
export function onPolicy(memory: Memory, contact: Contact): void {
  if (contact.record.policy === 'direct') {
    contact.nextCallAt = 0;
    greet(memory, contact);
    return;
  }
  for (const call of memory.calls.values()) if (call.contact === contact.record.id) end(memory, contact, call, 'policy');
}

function isWanted(memory: Memory, contact: Contact): boolean {
  return memory.direct && contact.session !== null && contact.record.policy === 'direct' && contact.record.flight === null && contact.record.heardAt > 0;
}

function isDialer(memory: Memory, contact: Contact): boolean {
  return memory.id < contact.record.id;
}

// The newest call with a contact, open or not.
function callOf(memory: Memory, contact: Contact): Call | null {
  let newest: Call | null = null;
  for (const call of memory.calls.values()) if (call.contact === contact.record.id) newest = call;
  return newest;
}

function dial(memory: Memory, contact: Contact): void {
  open(memory, contact, toHex(memory.random(ID_BYTES)), 'offerer');
}

function open(memory: Memory, contact: Contact, id: CallId, role: Call['role']): Call {
  const call: Call = { id, contact: contact.record.id, role, startedAt: memory.now, phase: 'dialing', offerHash: null, remote: null, fingerprints: null, relayed: false, relayedThere: false, proof: null };
  memory.calls.set(id, call);
  memory.timers.set(`call:${id}`, memory.now + CALL_MS);
  if (contact.openCall === null) setWhy(memory, contact, 'dialing');
  // TURN costs the relay, and takes part only where it was seen to be needed.
  memory.emit({ type: 'dial', call: id, role, relay: memory.self.relay, turn: contact.callFailures > 0 });
  return call;
}

/** Our description is gathered: it travels inside the session, never past it. */
export function onDescription(memory: Memory, call: Call, contact: Contact, description: Description): void {
  const wire = { ...description, candidates: [...description.candidates] };
  if (call.role === 'offerer') {
    call.offerHash = hashOffer(call.id, description);
    sendTransient(memory, contact, { case: 'offer', value: { call: fromHex(call.id), description: wire, relayRttMs: relayRttMs(memory) } }, null);
  } else {
    sendTransient(memory, contact, { case: 'answer', value: { call: fromHex(call.id), offerHash: call.offerHash!, description: wire } }, null);
  }
}

/** What an answer says of the offer that it answers (PROTOCOL.md §8). */
export function hashOffer(call: CallId, description: Description): Uint8Array {
  const { ufrag, pwd, fingerprint, setup, candidates } = description;
  return hash('offer', fromHex(call), utf8(ufrag), utf8(pwd), fingerprint, utf8(setup), utf8(candidates.join('\n')));
}

function relayRttMs(memory: Memory): number {
  return Math.round(memory.links.get(`deposit ${memory.self.relay}`)?.rttMs ?? 0);
}

export function onLocalCandidates(memory: Memory, call: Call, contact: Contact, candidates: readonly string[]): void {
  sendTransient(memory, contact, { case: 'candidates', value: { call: fromHex(call.id), candidates: [...candidates] } }, null);
}

/** The contact dials us. */
export function onOffer(memory: Memory, contact: Contact, offer: Offer): void {
  const id = toHex(offer.call);
  if (!isWanted(memory, contact) || isDialer(memory, contact) || memory.calls.has(id) || memory.now < contact.nextOfferAt) return;
  contact.nextOfferAt = memory.now + OFFER_INTERVAL_MS;
  const description = fromWire(offer.description!);
  for (const other of memory.calls.values()) if (other.contact === contact.record.id && other.phase !== 'open') end(memory, contact, other, 'replaced');
  const call = open(memory, contact, id, 'answerer');
  call.offerHash = hashOffer(id, description);
  call.remote = description;
  // The peer farther from the relay should be the DTLS client: its ICE is ready later, and a ClientHello must not come too early.
  const dtls = relayRttMs(memory) > offer.relayRttMs + CLEARLY_FARTHER_MS ? 'client' : 'server';
  memory.emit({ type: 'peer-remote', call: id, description, dtls });
}

/** The contact answers our offer. */
export function onAnswer(memory: Memory, contact: Contact, answer: Answer): void {
  const call = memory.calls.get(toHex(answer.call));
  if (call?.contact !== contact.record.id || call.role !== 'offerer' || call.remote !== null) return;
  if (call.offerHash === null || !equal(call.offerHash, answer.offerHash)) return;
  call.remote = fromWire(answer.description!);
  memory.emit({ type: 'peer-remote', call: call.id, description: call.remote, dtls: 'client' });
}

export function onCandidates(memory: Memory, contact: Contact, message: Candidates): void {
  const call = memory.calls.get(toHex(message.call));
  if (call?.contact === contact.record.id) memory.emit({ type: 'peer-candidates', call: call.id, candidates: message.candidates });
}

function fromWire(description: WireDescription): Description {
  const { ufrag, pwd, fingerprint, setup, candidates } = description;
  return { ufrag, pwd, fingerprint, setup: setup as Description['setup'], candidates };
}

/** The channel is open: prove which certificates we see, before anything is believed. */
export function onOpen(memory: Memory, call: Call, contact: Contact, local: Uint8Array, remote: Uint8Array): void {
  if (call.remote === null || !equal(call.remote.fingerprint, remote)) {
    memory.emit({ type: 'notice', contact: contact.record.id, code: 'fingerprint-mismatch' });
    end(memory, contact, call, 'fingerprint-mismatch');
    return;
  }
  call.fingerprints = { local, remote };
  call.phase = 'binding';
  bind(memory, contact, call);
  if (call.proof !== null) check(memory, contact, call, call.proof);
}

/** The contact's proof of what it sees; it may come before we know that the channel is open, and again with another address of theirs. */
export function onBind(memory: Memory, contact: Contact, { call: id, proof, relayed }: Bind): void {
  const call = memory.calls.get(toHex(id));
  if (call?.contact !== contact.record.id) return;
  changePath(memory, contact, call, { relayedThere: relayed });
  if (call.phase === 'open') return;
  if (call.fingerprints === null) call.proof = proof;
  else check(memory, contact, call, proof);
}

function bind(memory: Memory, contact: Contact, call: Call): void {
  const { local, remote } = call.fingerprints!;
  const proof = proofOf(sessionId(contact.session!), call.id, call.role, local, remote);
  sendTransient(memory, contact, { case: 'bind', value: { call: fromHex(call.id), proof, relayed: call.relayed } }, call.id);
}

/** The proof of `bind`: which certificates one side of a call has and sees, in a session of this id (PROTOCOL.md §8). */
export function proofOf(session: Uint8Array, call: CallId, role: Call['role'], local: Uint8Array, remote: Uint8Array): Uint8Array {
  return derive(hash('bind', session), 'bind', fromHex(call), utf8(role), local, remote).left;
}

function check(memory: Memory, contact: Contact, call: Call, theirs: Uint8Array): void {
  const { local, remote } = call.fingerprints!;
  const expected = proofOf(sessionId(contact.session!), call.id, call.role === 'offerer' ? 'answerer' : 'offerer', remote, local);
  if (!equal(expected, theirs)) {
    memory.emit({ type: 'notice', contact: contact.record.id, code: 'fingerprint-mismatch' });
    end(memory, contact, call, 'fingerprint-mismatch');
    return;
  }
  const old = contact.openCall === null ? undefined : memory.calls.get(contact.openCall);
  call.phase = 'open';
  memory.timers.clear(`call:${call.id}`);
  contact.openCall = call.id;
  contact.pathSince = memory.now;
  if (old !== undefined) {
    // Make before break: the new path carries what the old one owed.
    forget(memory, old);
    reroute(memory, contact);
  }
  owe(memory, contact);
  flush(memory, contact);
  tellPath(memory, contact, call);
}

/** Our own address in use has become one of a TURN server, or is none any more. */
export function onPair(memory: Memory, call: Call, contact: Contact, relayed: boolean): void {
  if (call.relayed === relayed) return;
  changePath(memory, contact, call, { relayed });
  if (call.fingerprints !== null) bind(memory, contact, call);
}

function changePath(memory: Memory, contact: Contact, call: Call, change: Partial<Pick<Call, 'relayed' | 'relayedThere'>>): void {
  const before = pathOfCall(call);
  Object.assign(call, change);
  if (contact.openCall === call.id && pathOfCall(call) !== before) tellPath(memory, contact, call);
}

function tellPath(memory: Memory, contact: Contact, call: Call): void {
  if (pathOfCall(call) === 'turn') memory.timers.set(`upgrade:${contact.record.id}`, memory.now + UPGRADE_MS);
  memory.emit({ type: 'path', contact: contact.record.id });
}

/** Timer `upgrade:`: the networks may let a direct path through by now; it takes the place of the other when it is proven. */
export function upgrade(memory: Memory, contact: Contact): void {
  if (memory.pathOf(contact) !== 'turn') return;
  memory.timers.set(`upgrade:${contact.record.id}`, memory.now + UPGRADE_MS);
  contact.callFailures = 0;
  if (isWanted(memory, contact) && isDialer(memory, contact)) dial(memory, contact);
}

/** The connection of a call is gone, or its time is up. */
export function onCallEnded(memory: Memory, call: Call, contact: Contact, reason: string): void {
  end(memory, contact, call, reason);
}

/** The open path takes envelopes and nothing comes back. */
export function onSwallowed(memory: Memory, contact: Contact): void {
  const call = contact.openCall === null ? undefined : memory.calls.get(contact.openCall);
  if (call !== undefined) end(memory, contact, call, 'swallowed');
}

function forget(memory: Memory, call: Call): void {
  memory.calls.delete(call.id);
  memory.timers.clear(`call:${call.id}`);
  memory.emit({ type: 'hang-up', call: call.id });
}

function end(memory: Memory, contact: Contact, call: Call, reason: string): void {
  forget(memory, call);
  const isOpen = contact.openCall === call.id;
  if (isOpen) {
    contact.openCall = null;
    contact.pathSince = memory.now;
    // A path that worked is worth trying again at once; one that ended at once, or swallowed envelopes, is not.
    if (reason !== 'swallowed' && memory.now - call.startedAt >= PROVEN_MS) contact.callFailures = 0;
    reroute(memory, contact);
    memory.emit({ type: 'path', contact: contact.record.id });
  }
  if (reason === 'replaced' || contact.openCall !== null) return;
  setWhy(memory, contact, reason === 'policy' ? 'policy' : isOpen && reason !== 'swallowed' ? 'ended' : 'failed');
  const wait = REDIAL_MS[Math.min(contact.callFailures, REDIAL_MS.length - 1)]!;
  contact.callFailures += 1;
  contact.nextCallAt = memory.now + wait;
  if (isWanted(memory, contact)) memory.timers.set(`redial:${contact.record.id}`, contact.nextCallAt);
}

/** Timer `redial:`: ask whether the contact is there; the answer starts a call. */
export function redial(memory: Memory, contact: Contact): void {
  if (isWanted(memory, contact) && contact.openCall === null) greet(memory, contact);
}

function setWhy(memory: Memory, contact: Contact, why: WhyRelay): void {
  if (contact.why === why) return;
  contact.why = why;
  memory.emit({ type: 'path', contact: contact.record.id });
}

