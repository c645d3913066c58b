// The brain of a client: handle(input, now) gives outputs, in one synchronous call, with no socket, clock or disk.
// It never throws on what comes from outside: a rejected input is an output with a code, and changes nothing else.

import { SottoError } from '../../crypto/error.js';
import type { ErrorCode } from '../../crypto/error.js';
import type { Random } from '../../crypto/random.js';
import * as address from './address.js';
import * as conversation from './conversation.js';
import * as direct from './direct.js';
import * as inbox from './inbox.js';
import type { CallId, Input, RequestId } from './input.js';
import * as invitations from './invitations.js';
import * as mailboxes from './mailboxes.js';
import { Memory, pathOfCall } from './memory.js';
import type { Call, Contact } from './memory.js';
import * as outbox from './outbox.js';
import * as parting from './parting.js';
import * as reset from './reset.js';
import type { Output } from './output.js';
import type { ContactId, MailboxId, Snapshot } from './records.js';
import * as requests from './requests.js';

/** Wait before a mailbox that the relay refused for now is collected again. */
const COLLECT_AGAIN_MS = 5_000;
/** When expiry is first looked at after a start. */
const FIRST_EXPIRY_MS = 600_000;
/** How often expired invitations are looked for. */
const INVITATIONS_CHECK_MS = 60_000;

export interface CoreOptions {
  readonly random: Random;
  /** Whether this process stays long enough to open direct paths. */
  readonly direct: boolean;
}

export class Core {
  /** What the core knows, to be read by the runtime's views; only the core writes it. */
  readonly memory: Memory;
  #wakeAt: number | null = null;

  /** Throws `malformed` if the snapshot is damaged. */
  constructor(snapshot: Snapshot, options: CoreOptions, now: number) {
    this.memory = new Memory(snapshot, options.random, options.direct, now);
  }

  /** The first outputs: what was owed when the last process ended. */
  start(now: number): Output[] {
    const memory = this.memory;
    memory.now = now;
    const wanted = new Set([`collect ${memory.self.relay}`, `deposit ${memory.self.relay}`]);
    for (const mailbox of [...memory.mailboxes(), ...memory.closing.values()]) wanted.add(`collect ${mailbox.relay}`);
    for (const contact of memory.contacts.values()) wanted.add(`deposit ${contact.record.outbox.relay}`);
    for (const link of wanted) {
      const [role, relay] = link.split(' ') as ['collect' | 'deposit', string];
      memory.emit({ type: 'link', relay, role });
    }
    for (const contact of memory.contacts.values()) resume(memory, contact);
    // After what the relays have kept: a receipt may be among it.
    memory.timers.set('expiry', now + FIRST_EXPIRY_MS);
    memory.timers.set('invitations', now);
    memory.timers.set('address', now);
    return this.#finish(now);
  }

  /** Takes one input. `now` is ms since 1970 and may jump. */
  handle(input: Input, now: number): Output[] {
    if (now < this.memory.now) this.memory.setClockBack(this.memory.now - now);
    this.memory.now = now;
    // A timer of the machine may fire early; then it is asked for again.
    if (input.type === 'wake') this.#wakeAt = null;
    this.#attempt(() => dispatch(this.memory, input), 'request' in input ? input.request : null);
    return this.#finish(now);
  }

  // What cannot be done answers the request that wanted it; without one it is left, and the person told.
  #attempt(act: () => void, request: RequestId | null): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof SottoError)) throw error;
      if (request === null) this.memory.emit({ type: 'notice', contact: null, code: error.code });
      else this.memory.emit({ type: 'answer', request, result: error });
    }
  }

  #finish(now: number): Output[] {
    const { timers } = this.memory;
    for (const name of timers.take(now)) this.#attempt(() => onTimer(this.memory, name), null);
    const next = timers.next();
    if (next !== null && next !== this.#wakeAt) this.memory.emit({ type: 'wake', at: next });
    this.#wakeAt = next;
    return this.memory.takeOutputs();
  }
}

// After a start, or a block: what is still owed to this contact.
function resume(memory: Memory, contact: Contact): void {
  if (contact.record.receiptOwed) conversation.owe(memory, contact);
  if (contact.undelivered.size > 0) outbox.awaitReceipt(memory, contact);
  outbox.rememberHold(memory, contact);
  conversation.watchGap(memory, contact);
  // A contact that was restored has neither.
  if (contact.session === null && contact.record.reset === null) reset.begin(memory, contact, 'restored');
}

function dispatch(memory: Memory, input: Input): void {
  switch (input.type) {
    case 'invite': return invitations.invite(memory, input.request, input.lifetimeMs);
    case 'accept': return invitations.accept(memory, input.request, input.link);
    case 'address': return onAddress(memory, input.request, input.change);
    case 'approve': return requests.approve(memory, input.request, input.id);
    case 'refuse': return requests.refuse(memory, input.request, input.id);
    case 'remove':
    case 'block':
    case 'unblock': return onParting(memory, input.type, parting.anyContact(memory, input.contact), input.request);
    case 'send': return onSend(memory, knownContact(memory, input.contact), input.request, input.text);
    case 'read': return conversation.markRead(memory, knownContact(memory, input.contact), input.number);
    case 'policy': return onPolicy(memory, knownContact(memory, input.contact), input.policy);
    case 'link': return onLink(memory, input);
    case 'collected': return onCollected(memory, input.mailbox, input.error);
    case 'closed': return mailboxes.onClosed(memory, input.mailbox, input.error);
    case 'published': return (memory.weeks.has(input.lookup) ? address : invitations).onPublished(memory, input.lookup, input.error);
    case 'card': return invitations.onCard(memory, input.request, input.card, input.error);
    case 'delivery': return inbox.onDelivery(memory, input);
    case 'put': return withContact(memory, input.contact, (contact) => onPut(memory, contact, input));
    case 'peer-description': return withCall(memory, input.call, (call, contact) => direct.onDescription(memory, call, contact, input.description));
    case 'peer-candidates': return withCall(memory, input.call, (call, contact) => direct.onLocalCandidates(memory, call, contact, input.candidates));
    case 'peer-open': return withCall(memory, input.call, (call, contact) => direct.onOpen(memory, call, contact, input.local, input.remote));
    case 'peer-frame': return withCall(memory, input.call, (call, contact) => void inbox.onEnvelope(memory, contact, input.frame, pathOfCall(call), true));
    case 'peer-pair': return withCall(memory, input.call, (call, contact) => direct.onPair(memory, call, contact, input.relayed));
    case 'peer-closed': return withCall(memory, input.call, (call, contact) => direct.onCallEnded(memory, call, contact, input.reason));
    case 'network-changed': return direct.onNetworkChanged(memory);
    case 'wake': return;
  }
}

function onTimer(memory: Memory, timer: string): void {
  const [name, key] = timer.split(':') as [string, string | undefined];
  switch (name) {
    case 'expiry': return outbox.expire(memory);
    case 'invitations':
      invitations.expireInvitations(memory);
      return memory.timers.set('invitations', memory.now + INVITATIONS_CHECK_MS);
    case 'address': return address.checkWeeks(memory);
    case 'addressing': return address.fail(memory, 'relay-unreachable');
    case 'collect': return collectAgain(memory, key!);
    case 'call': return withCall(memory, key!, (call, contact) => direct.onCallEnded(memory, call, contact, 'timed-out'));
    default: return withContact(memory, key!, (contact) => orReset(memory, contact, () => onContactTimer(memory, contact, name)));
  }
}

function onContactTimer(memory: Memory, contact: Contact, name: string): void {
  switch (name) {
    case 'receipt': return conversation.sendReceipt(memory, contact);
    case 'gap': return conversation.askAgain(memory, contact);
    case 'hold': return conversation.giveUpGap(memory, contact);
    case 'race': return outbox.race(memory, contact) ? direct.onSwallowed(memory, contact) : undefined;
    case 'put': return outbox.flush(memory, contact);
    case 'ask': return direct.askForReceipt(memory, contact);
    case 'redial': return direct.redial(memory, contact);
    case 'reset': return reset.repeat(memory, contact);
    case 'doubt': return reset.doubt(memory, contact);
    case 'upgrade': return direct.upgrade(memory, contact);
  }
}

// What a session that has used up its keys cannot seal is done after it has ended: then it waits for the next one.
function orReset(memory: Memory, contact: Contact, act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof SottoError && error.code === 'session-exhausted')) throw error;
    reset.begin(memory, contact, 'session-exhausted');
    act();
  }
}

function onSend(memory: Memory, contact: Contact, request: RequestId, text: string): void {
  orReset(memory, contact, () => conversation.sendText(memory, contact, request, text));
}

function onPut(memory: Memory, contact: Contact, { envelope, error, retryAfterMs }: Extract<Input, { type: 'put' }>): void {
  outbox.onPut(memory, contact, envelope, error, retryAfterMs);
  reset.onPut(memory, contact, envelope, error);
}

function knownContact(memory: Memory, id: ContactId): Contact {
  parting.refuseBlocked(memory, id);
  const contact = memory.contacts.get(id);
  if (contact === undefined) throw new SottoError('contact-unknown');
  return contact;
}

function withContact(memory: Memory, id: ContactId, act: (contact: Contact) => void): void {
  const contact = memory.contacts.get(id);
  if (contact !== undefined) act(contact);
}

function withCall(memory: Memory, id: CallId, act: (call: Call, contact: Contact) => void): void {
  const call = memory.calls.get(id);
  if (call !== undefined) withContact(memory, call.contact, (contact) => act(call, contact));
}

function onAddress(memory: Memory, request: RequestId, change: 'show' | 'new' | 'close'): void {
  switch (change) {
    case 'show': return address.show(memory, request);
    case 'new': return address.replace(memory, request);
    case 'close':
      address.end(memory);
      return memory.emit({ type: 'answer', request, result: { type: 'done' } });
  }
}

function onParting(memory: Memory, wish: 'remove' | 'block' | 'unblock', contact: Contact, request: RequestId): void {
  switch (wish) {
    case 'remove': parting.remove(memory, contact); break;
    case 'block': parting.block(memory, contact); break;
    case 'unblock':
      if (!contact.record.blocked) break;
      parting.unblock(memory, contact);
      resume(memory, contact);
      outbox.flush(memory, contact);
      direct.greet(memory, contact);
  }
  memory.emit({ type: 'answer', request, result: { type: 'done' } });
}

function onPolicy(memory: Memory, contact: Contact, policy: 'direct' | 'relay-only'): void {
  if (contact.record.policy === policy) return;
  memory.update(contact, { policy });
  direct.onPolicy(memory, contact);
}

function onLink(memory: Memory, link: Extract<Input, { type: 'link' }>): void {
  const wasOnline = memory.isOnline(link.relay, link.role);
  memory.links.set(`${link.role} ${link.relay}`, { online: link.online, rttMs: link.rttMs });
  if (link.online === wasOnline) return;
  if (link.role === 'deposit') {
    if (link.online) onDepositOnline(memory, link.relay);
    return;
  }
  for (const mailbox of memory.mailboxes()) {
    if (mailbox.relay !== link.relay) continue;
    memory.collected.delete(mailbox.mailbox);
    if (link.online) memory.emit({ type: 'collect', mailbox });
  }
  if (!link.online) return;
  mailboxes.closeRest(memory, link.relay);
  for (const invitation of memory.invitations.values()) {
    if (invitation.mailbox.relay === link.relay && !invitation.published && !memory.inviting.has(invitation.lookup)) invitations.publish(memory, invitation);
  }
}

function onDepositOnline(memory: Memory, relay: string): void {
  for (const contact of memory.contacts.values()) {
    if (contact.record.outbox.relay !== relay) continue;
    outbox.flush(memory, contact);
    reset.repeat(memory, contact);
    direct.greet(memory, contact);
  }
}

function onCollected(memory: Memory, mailbox: MailboxId, error: ErrorCode | null): void {
  const { contact, invitation, own } = mailboxes.ownerOf(memory, mailbox);
  if (error !== null) {
    if (error === 'mailbox-taken' || error === 'signature-wrong') memory.emit({ type: 'notice', contact: contact?.record.id ?? null, code: 'mailbox-lost' });
    else if (error === 'relay-unreachable') return;
    else memory.timers.set(`collect:${mailbox}`, memory.now + COLLECT_AGAIN_MS);
    if (invitation !== null) invitations.failInvite(memory, invitation, error);
    if (own !== null) address.onCollected(memory, own, error);
    return;
  }
  memory.collected.add(mailbox);
  if (invitation !== null) invitations.answerInvite(memory, invitation);
  if (own !== null) address.onCollected(memory, own, null);
  if (contact === null) return;
  outbox.flush(memory, contact);
  reset.repeat(memory, contact);
  // Whoever has just been approved could not be greeted before there was a mailbox for the answer.
  if (contact.record.helloOwed) direct.greet(memory, contact);
  else direct.tellCollected(memory, contact);
}

function collectAgain(memory: Memory, mailbox: MailboxId): void {
  for (const own of memory.mailboxes()) if (own.mailbox === mailbox && memory.isOnline(own.relay, 'collect')) memory.emit({ type: 'collect', mailbox: own });
}
