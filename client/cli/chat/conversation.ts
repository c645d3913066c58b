// What the screen shows of a conversation, kept up to date from a Client. It holds no more than a person scrolls through and decides
// nothing about a message.

import { useCallback, useEffect, useRef, useState } from 'react';
import type { SottoError } from '../../../crypto/error.js';
import type { Client, ClientEvent, ContactStatus, ContactView, MessageView, RelayStatus } from '../../client.js';
import type { MessageState } from '../../core/records.js';
import { failureIn, toSottoError } from '../exit.js';
import { ownerIsGone } from '../rpc.js';

const PAGE = 100;
/** Contacts who are named in a warning about several. */
const NAMED_MAX = 3;
/** Most messages on the screen; older ones are for "sotto history". */
export const LOADED_MAX = 5_000;

export interface Conversation {
  /** In order; the newest last. */
  readonly messages: readonly MessageView[];
  /** Whether there are older ones that can be loaded. */
  readonly older: boolean;
  /** Null until the client has answered. */
  readonly status: ContactStatus | null;
  /** Whether the person has blocked the contact: there is no path to them then. */
  readonly blocked: boolean;
  readonly relays: readonly RelayStatus[];
  /** What the person has to know and has not read yet, each once, the oldest first. */
  readonly warnings: readonly Warning[];
  /** What happened last beside this conversation; null if nothing did. */
  readonly news: News | null;
}

export interface Warning {
  /** The id of whom it is about; null of nobody alone. */
  readonly contact: string | null;
  /** The name of a contact of another conversation; null where it belongs to this one. */
  readonly other: string | null;
  readonly text: string;
}

export interface News {
  /** The id of who asks for approval: once they have it, that is no news any more. */
  readonly asks: string | null;
  readonly text: string;
}

export const NOTHING: Conversation = { messages: [], older: false, status: null, blocked: false, relays: [], warnings: [], news: null };

export interface Kept {
  readonly conversation: Conversation;
  /** Asks for the messages before the first. */
  readonly loadOlder: () => void;
  /** The person has read this warning, or this news. */
  readonly dismiss: (read: string) => void;
}

/** @param onFailure called when nothing more can be shown or sent, because the disk is at fault or the client has failed. */
export function useConversation(client: Client | null, contact: ContactView, onFailure: (error: SottoError) => void): Kept {
  const [conversation, setConversation] = useState(NOTHING);
  const latest = useRef(conversation);
  latest.current = conversation;
  const failed = useRef(onFailure);
  failed.current = onFailure;

  useEffect(() => {
    if (!client) return;
    let current = true;
    const apply = (change: (before: Conversation) => Conversation) => {
      if (current) setConversation(change);
    };
    const fail = (thrown: unknown) => {
      const error = toSottoError(thrown);
      if (error.fault === 'disk') failed.current(error);
      // Whoever has the home open has gone: it is opened again, and all of this is asked again.
      else if (!ownerIsGone(thrown)) apply((before) => withNews(before, error.message));
    };
    const unsubscribe = client.subscribe((event) => {
      const failure = failureIn(event);
      if (failure !== null) failed.current(failure);
      else apply((before) => afterEvent(before, event, contact));
    });
    client.history(contact.id, { limit: PAGE }).then((page) => apply((before) => afterNewest(before, page)), fail);
    Promise.all([client.status(), client.contacts()]).then(([{ relays, contacts }, listed]) => apply((before) => ({
      ...before, relays, status: contacts.find(({ id }) => id === contact.id) ?? null,
      blocked: listed.some(({ id, blocked }) => id === contact.id && blocked),
    })), fail);
    return () => {
      current = false;
      unsubscribe();
    };
  }, [client, contact]);

  const loading = useRef(false);
  const loadOlder = useCallback(() => {
    const { messages, older } = latest.current;
    const first = messages[0];
    if (!client || !first || !older || loading.current) return;
    loading.current = true;
    client.history(contact.id, { before: first.position, limit: PAGE }).then((page) => {
      setConversation((before) => {
        const all = merge(page, before.messages);
        return { ...before, messages: all, older: page.length === PAGE && all.length < LOADED_MAX };
      });
    }, () => {}).finally(() => (loading.current = false));
  }, [client, contact]);

  const dismiss = useCallback((read: string) => setConversation((before) => afterReading(before, read)), []);
  return { conversation, loadOlder, dismiss };
}

/** What the newest messages of the history make of the conversation. Events may have told of some of them already. */
export function afterNewest(before: Conversation, page: readonly MessageView[]): Conversation {
  const full = page.length === PAGE;
  const first = page[0]?.position ?? 0;
  const known = new Set(before.messages.map(({ id }) => id));
  const earlier = before.messages.some(({ position }) => position < first);
  // While the home was closed more may have come than a page holds; nothing may look as if it followed on what is older than a gap.
  const joined = !full || page.some(({ id }) => known.has(id));
  const kept = joined ? before.messages : before.messages.filter(({ position }) => position >= first);
  return { ...before, messages: merge(page, kept), older: earlier && joined ? before.older : full };
}

/** What an event makes of the conversation with a contact. */
export function afterEvent(before: Conversation, event: ClientEvent, contact: ContactView): Conversation {
  switch (event.type) {
    case 'message':
    case 'state':
      if (event.message.contact.id === contact.id) return { ...before, messages: merge(before.messages, [event.message]) };
      return event.type === 'state' ? before : withNews(before, `${event.message.contact.name} has written to you as well.`);
    case 'path':
      return event.contact.id === contact.id ? { ...before, status: event.contact } : before;
    case 'relay':
      return { ...before, relays: [...before.relays.filter(({ url }) => url !== event.relay.url), event.relay] };
    case 'contact':
      return withNews(before, `${event.contact.name} is your contact now.`);
    case 'removed': {
      const warnings = before.warnings.filter((warning) => warning.contact !== event.contact.id);
      if (event.contact.id !== contact.id) return { ...before, warnings };
      return withNews({ ...NOTHING, warnings }, `${event.contact.name} is removed from your contacts, with all messages.`);
    }
    case 'request':
      return withNews(before, `${event.request.name} asks ${event.request.isContact ? 'to begin anew with you' : 'to be your contact'}; see "sotto requests".`, event.request.id);
    case 'notice': {
      const isOfOther = event.contact !== null && event.contact.id !== contact.id;
      const warning = { contact: event.contact?.id ?? null, other: isOfOther ? event.contact.name : null, text: event.text };
      switch (event.code) {
        // The heading says it.
        case 'blocked': return isOfOther ? before : { ...before, blocked: true, status: null };
        case 'unblocked': return isOfOther ? before : { ...before, blocked: false };
        case 'session-replaced': return warned({ ...before, news: before.news?.asks === event.contact?.id ? null : before.news }, warning);
        default: return warned(before, warning);
      }
    }
  }
}

function withNews(before: Conversation, text: string, asks: string | null = null): Conversation {
  return { ...before, news: { asks, text } };
}

function warned(before: Conversation, warning: Warning): Conversation {
  return before.warnings.some(({ contact, text }) => contact === warning.contact && text === warning.text) ? before : { ...before, warnings: [...before.warnings, warning] };
}

/**
 * What is still to be read, in this order: what is said of others, or by a relay of all of them, stands before nothing of this conversation,
 * and no news before a warning.
 */
export function unreadOf({ warnings, news }: Conversation): readonly string[] {
  return [...told(warnings).keys(), ...(news === null ? [] : [news.text])];
}

/** The person has read one of these; what came meanwhile is still to be read. */
export function afterReading(before: Conversation, read: string): Conversation {
  const gone = new Set(told(before.warnings).get(read));
  return { ...before, warnings: before.warnings.filter((warning) => !gone.has(warning)), news: before.news?.text === read ? null : before.news };
}

/** Warnings by their words. The same about each of several others is one. */
function told(warnings: readonly Warning[]): Map<string, readonly Warning[]> {
  const words = new Map(warnings.filter(({ other }) => other === null).map((warning) => [warning.text, [warning]]));
  const others = new Map<string, Warning[]>();
  for (const warning of warnings) {
    if (warning.other === null) continue;
    const alike = others.get(warning.text);
    if (alike === undefined) others.set(warning.text, [warning]);
    else alike.push(warning);
  }
  for (const [text, alike] of others) words.set(`${namesOf(alike)}: ${text}`, alike);
  return words;
}

function namesOf(alike: readonly Warning[]): string {
  const named = alike.slice(0, NAMED_MAX).map(({ other }) => other).join(', ');
  return alike.length > NAMED_MAX ? `${named} and ${alike.length - NAMED_MAX} more` : named;
}

/** How far a message is: it never goes back (core/conversation.ts NEXT). */
const RANK: Readonly<Record<MessageState, number>> = { queued: 0, received: 0, accepted: 1, failed: 2, delivered: 3, read: 4 };

/** Two lists of messages as one, in order, each once and as far as either knows it to be; where both know the same, as the second says. */
export function merge(first: readonly MessageView[], second: readonly MessageView[]): MessageView[] {
  const byId = new Map(first.map((message) => [message.id, message]));
  for (const message of second) {
    const known = byId.get(message.id);
    if (!known || RANK[message.state] >= RANK[known.state]) byId.set(message.id, message);
  }
  return [...byId.values()].toSorted((a, b) => a.position - b.position).slice(-LOADED_MAX);
}
