// What the screen shows of a conversation, kept up to date from a Client. It holds no more than a person scrolls through and decides
// nothing about a message.

import { useCallback, useEffect, useRef, useState } from 'react';
import { toSottoError } from '../exit.js';
import type { Client, ClientEvent, ContactStatus, ContactView, MessageView, RelayStatus } from '../../client.js';

const PAGE = 100;
/** Most messages on the screen; older ones are for "sotto history". */
export const LOADED_MAX = 500;

export interface Conversation {
  /** In order; the newest last. */
  readonly messages: readonly MessageView[];
  /** Whether there are older ones that can be loaded. */
  readonly older: boolean;
  /** Null until the client has answered. */
  readonly status: ContactStatus | null;
  /** The relays that cannot be reached now. */
  readonly offline: readonly RelayStatus[];
  /** What happened beside this conversation; null if nothing did. */
  readonly notice: string | null;
}

const NOTHING: Conversation = { messages: [], older: false, status: null, offline: [], notice: null };

export interface Kept {
  readonly conversation: Conversation;
  /** Asks for the messages before the first. */
  readonly loadOlder: () => void;
  /** The person has read the notice. */
  readonly dismiss: () => void;
}

export function useConversation(client: Client | null, contact: ContactView): Kept {
  const [conversation, setConversation] = useState(NOTHING);
  const latest = useRef(conversation);
  latest.current = conversation;

  useEffect(() => {
    if (!client) return;
    let current = true;
    const apply = (change: (before: Conversation) => Conversation) => {
      if (current) setConversation(change);
    };
    const fail = (error: unknown) => apply((before) => ({ ...before, notice: toSottoError(error).message }));
    const unsubscribe = client.subscribe((event) => apply((before) => afterEvent(before, event, contact)));
    client.history(contact.id, { limit: PAGE }).then(
      (page) => apply((before) => ({ ...before, messages: merge(before.messages, page), older: before.older || page.length === PAGE })), fail);
    client.status().then(({ relays, contacts }) => apply((before) => ({
      ...before,
      status: contacts.find(({ id }) => id === contact.id) ?? null,
      offline: relays.filter(({ online }) => !online),
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

  const dismiss = useCallback(() => setConversation((before) => ({ ...before, notice: null })), []);
  return { conversation, loadOlder, dismiss };
}

/** What an event makes of the conversation with a contact. */
export function afterEvent(before: Conversation, event: ClientEvent, contact: ContactView): Conversation {
  switch (event.type) {
    case 'message':
    case 'state':
      if (event.message.contact.id === contact.id) return { ...before, messages: merge(before.messages, [event.message]) };
      return event.type === 'state' ? before : { ...before, notice: `${event.message.contact.name} has written to you as well.` };
    case 'path':
      return event.contact.id === contact.id ? { ...before, status: event.contact } : before;
    case 'relay': {
      const others = before.offline.filter(({ url }) => url !== event.relay.url);
      return { ...before, offline: event.relay.online ? others : [...others, event.relay] };
    }
    case 'contact':
      return { ...before, notice: `${event.contact.name} is your contact now.` };
    case 'request':
      return { ...before, notice: `${event.request.name} asks to be your contact; see "sotto requests".` };
    case 'notice':
      return event.contact && event.contact.id !== contact.id ? before : { ...before, notice: event.text };
  }
}

/** Two lists of messages as one, in order, a later word on a message in place of an earlier one. */
export function merge(before: readonly MessageView[], news: readonly MessageView[]): MessageView[] {
  const byId = new Map(before.map((message) => [message.id, message]));
  for (const message of news) byId.set(message.id, message);
  return [...byId.values()].toSorted((a, b) => a.position - b.position).slice(-LOADED_MAX);
}
