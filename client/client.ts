// What a person's program (terminal, page, script) asks of a client. Every argument and result is plain JSON, so that the same
// methods serve in the process that holds the home and, over the local socket, in every other (PROTOCOL.md §10).

import type { MessageState, PathName, Policy } from './core/records.js';

export interface ContactView {
  readonly id: string;
  readonly name: string;
}

/** A contact as a list shows it. */
export interface ListedContact extends ContactView {
  readonly blocked: boolean;
}

export interface MessageView {
  readonly id: string;
  readonly contact: ContactView;
  readonly direction: 'in' | 'out';
  readonly text: string;
  readonly state: MessageState;
  readonly path: PathName | null;
  readonly reason: string | null;
  /** Times are ms since 1970; null where it has not happened. */
  readonly sentAt: number;
  readonly receivedAt: number | null;
  readonly acceptedAt: number | null;
  readonly deliveredAt: number | null;
  readonly readAt: number | null;
  /** Place in the order of this home. */
  readonly position: number;
}

export interface ContactStatus extends ContactView {
  readonly path: PathName;
  /** Whether what is written now goes out: by a direct path, or by the relay where the contact collects. */
  readonly connected: boolean;
  /** Why that relay takes nothing for this contact (an error code), and by when it is asked again; null if it does, or is not there, or not needed. */
  readonly held: { readonly reason: string; readonly until: number } | null;
  /** Since when the conversation uses this path, without a break. */
  readonly since: number;
  /** Why this path: a sentence for a person. */
  readonly why: string;
  /** Local and remote address of the peer connection, each with the type of its candidate; `unknown relay` where only the contact knows
   *  at which TURN server theirs is. Null where envelopes go by the relay. */
  readonly pair: { readonly local: string; readonly remote: string } | null;
  readonly rttMs: number | null;
  readonly policy: Policy;
  /** When anything last came from the contact; null if never. */
  readonly heardAt: number | null;
  /** Own messages that are not delivered yet. */
  readonly undelivered: number;
  /** Received messages that the person has not read. */
  readonly unread: number;
}

export interface RelayStatus {
  readonly url: string;
  /** Whether it takes what we write; of a relay where we only collect, whether it brings what others write. */
  readonly online: boolean;
  readonly rttMs: number | null;
  /** Why it is offline or, while it is online, why it does not bring what others write; null if nothing is wrong. In plain words. */
  readonly reason: string | null;
  /** The reason as the system or the relay said it. */
  readonly cause: string | null;
}

export interface StatusView {
  readonly identity: ContactView;
  /** Ours first. */
  readonly relays: readonly RelayStatus[];
  readonly contacts: readonly ContactStatus[];
}

/** Somebody who has come by our address and waits for approval. They know nothing of us yet. */
export interface RequestView extends ContactView {
  /** Whether they are a contact already: to approve them begins a new session in the place of the one that is there. */
  readonly isContact: boolean;
  /** When they came, ms since 1970. */
  readonly at: number;
  /** The first thing they wrote; null if they have written nothing yet. */
  readonly text: string | null;
  /** How many messages of theirs are known to exist, from that one on. */
  readonly messages: number;
}

/** Who is a contact from now on. */
export interface Accepted {
  readonly contact: ContactView;
  /** Whether they were one before: what was said stays, and goes on in a new session. */
  readonly isBack: boolean;
}

export type Wait = 'queued' | 'accepted' | 'delivered' | 'read';

/** What happens, as it happens. `message`: a received text is ready to be shown. `state`: an own message is
 *  queued or moved on. */
export type ClientEvent =
  | { readonly type: 'message'; readonly message: MessageView }
  | { readonly type: 'state'; readonly message: MessageView }
  | { readonly type: 'contact'; readonly contact: ContactView }
  /** The person has removed a contact. */
  | { readonly type: 'removed'; readonly contact: ContactView }
  /** Somebody waits for approval, or has now written their first message. */
  | { readonly type: 'request'; readonly request: RequestView }
  | { readonly type: 'path'; readonly contact: ContactStatus }
  | { readonly type: 'relay'; readonly relay: RelayStatus }
  | { readonly type: 'notice'; readonly contact: ContactView | null; readonly code: string; readonly text: string };

export interface Client {
  /** A one-time invitation. Resolves when the relay holds its card: the link works from now on. */
  invite(): Promise<{ readonly link: string; readonly expiresAt: number }>;
  /** The link of our address, which everybody may use; made if there is none. Resolves when it works. */
  address(): Promise<{ readonly link: string }>;
  /** Another address: the old one serves nobody from now on. */
  newAddress(): Promise<{ readonly link: string }>;
  /** Ends the address. */
  closeAddress(): Promise<void>;
  /** Who waits for approval, the longest waiting first. */
  requests(): Promise<readonly RequestView[]>;
  /** Makes a contact of somebody who waits, or goes on with one who comes back; `id` is as much of their id as tells them apart. */
  approve(id: string): Promise<Accepted>;
  /** Forgets somebody who waits. They are told nothing. */
  refuse(id: string): Promise<void>;
  /** Makes a contact of an invitation link, or asks to be one where the link is an address. */
  accept(link: string): Promise<Accepted>;
  contacts(): Promise<readonly ListedContact[]>;
  /** Deletes a contact, the messages with them, what has not left yet, and their mailbox at the relay. They are told nothing. */
  remove(contact: string): Promise<void>;
  /** From now on what they write stays at the relay unread, and nothing goes to them. They are told nothing. */
  block(contact: string): Promise<void>;
  /** Takes a blocked contact back: what waits comes and goes again. */
  unblock(contact: string): Promise<void>;
  /** Resolves when the message has reached the state `wait` (durable here at `queued`), or has failed, or after timeoutMs, with
   *  the message as it then is. Rejects if it could not be queued. */
  send(contact: string, text: string, options?: { readonly wait?: Wait; readonly timeoutMs?: number }): Promise<MessageView>;
  /** Messages in order; the newest `limit`, or the oldest `limit` with a position above `after`. */
  history(contact: string | null, options: { readonly limit: number; readonly before?: number; readonly after?: number; readonly direction?: 'in' | 'out' }): Promise<readonly MessageView[]>;
  search(words: string, limit: number): Promise<readonly MessageView[]>;
  /** The person has seen every received message of this contact up to this position. */
  markRead(contact: string, position: number): Promise<void>;
  status(): Promise<StatusView>;
  /** The safety number: 60 digits, the same on both sides. */
  verify(contact: string): Promise<{ readonly contact: ContactView; readonly number: string }>;
  setPolicy(contact: string, policy: Policy): Promise<void>;
  /** Writes everything but the sessions into a new file at this absolute path (PROTOCOL.md §12.2), as it is now. Resolves when it is whole.
   *  @param passphrase locks it; without one, the 24 words of a recovery key are answered that is kept nowhere. */
  backup(file: string, passphrase: string | null): Promise<{ readonly words: string | null }>;
  /** Calls back for each event until the returned function is called. */
  subscribe(listener: (event: ClientEvent) => void): () => void;
  /** Writes what is to be written, says goodbye to the network, closes the store. */
  close(): Promise<void>;
}
