// Everything that the core asks of the runtime. Saves come first: the runtime writes them in one transaction and releases the
// others, in order, only when they are durable (save precedes send).

import type { ErrorCode, SottoError } from '../../crypto/error.js';
import type { Description } from './description.js';
import type { CallId, LinkRole, RequestId } from './input.js';
import type { Change, ContactId, ContactRecord, MailboxId, MessageRecord, OwnMailbox, PeerMailbox, RequestRecord } from './records.js';

/** What a request of the person's came to. */
export type Result =
  | { readonly type: 'invited'; readonly link: string; readonly expiresAt: number }
  | { readonly type: 'address'; readonly link: string }
  | { readonly type: 'done' }
  /** `isBack`: it was a contact before, and goes on in a new session. */
  | { readonly type: 'accepted'; readonly contact: ContactId; readonly isBack: boolean }
  | { readonly type: 'sent'; readonly message: MessageRecord };

export type Output =
  | { readonly type: 'save'; readonly change: Change }
  | { readonly type: 'answer'; readonly request: RequestId; readonly result: Result | SottoError }
  // The relays. `link` asks that a connection is kept open; the others are done on it, when and if it is online.
  | { readonly type: 'link'; readonly relay: string; readonly role: LinkRole }
  /** Nothing goes there any more: the connection is closed, and kept closed until `link` asks for it again. */
  | { readonly type: 'unlink'; readonly relay: string; readonly role: LinkRole }
  | { readonly type: 'collect'; readonly mailbox: OwnMailbox }
  | { readonly type: 'acknowledge'; readonly relay: string; readonly mailbox: MailboxId; readonly sequence: number }
  | { readonly type: 'close-mailbox'; readonly mailbox: OwnMailbox }
  /** A mailbox is collected no more: the relay is to deliver only what is asked for anew when the connection is back. */
  | { readonly type: 'leave-mailbox'; readonly relay: string }
  | { readonly type: 'publish'; readonly relay: string; readonly lookup: string; readonly card: Uint8Array; readonly reusable: boolean; readonly ttlSeconds: number }
  | { readonly type: 'take'; readonly request: RequestId; readonly relay: string; readonly lookup: Uint8Array; readonly claim: Uint8Array }
  | { readonly type: 'put'; readonly contact: ContactId; readonly envelope: string; readonly to: PeerMailbox; readonly bytes: Uint8Array; readonly ttlSeconds: number }
  // The peer connections.
  | { readonly type: 'dial'; readonly call: CallId; readonly role: 'offerer' | 'answerer'; readonly relay: string; readonly turn: boolean }
  | { readonly type: 'peer-remote'; readonly call: CallId; readonly description: Description; readonly dtls: 'client' | 'server' }
  | { readonly type: 'peer-candidates'; readonly call: CallId; readonly candidates: readonly string[] }
  | { readonly type: 'peer-send'; readonly call: CallId; readonly frame: Uint8Array }
  | { readonly type: 'hang-up'; readonly call: CallId }
  // The next moment at which the core wants Input `wake`; replaces the one before.
  | { readonly type: 'wake'; readonly at: number }
  // What the person sees, as it happens. `message` has a position: it may be shown now.
  | { readonly type: 'message'; readonly message: MessageRecord }
  | { readonly type: 'state'; readonly message: MessageRecord }
  | { readonly type: 'contact'; readonly contact: ContactRecord }
  /** The person has removed a contact, and everything said with them. */
  | { readonly type: 'removed'; readonly contact: ContactRecord }
  // Somebody has come by our address, or their first text has.
  | { readonly type: 'request'; readonly record: RequestRecord }
  | { readonly type: 'path'; readonly contact: ContactId }
  | { readonly type: 'notice'; readonly contact: ContactId | null; readonly code: Notice | ErrorCode };

/** Things a person should know that are nobody's answer (sentences in client/views.ts). */
export type Notice =
  | 'history-differs' // the contact's chain of texts does not continue what we have
  | 'blocked' // the person has blocked the contact …
  | 'unblocked' // … or taken it back
  | 'gap' // texts of the contact are missing; they were asked for again
  | 'session-replaced' // the contact has begun anew, by an invitation or by our address: a new session began
  | 'rolled-back' // the contact has had more from this home than it knows of: it is an old copy, and begins anew
  | 'session-reset' // the session is over, by our side or theirs; a new one begins
  | 'restored' // the same, because the contact has restored their home from a backup
  | 'reset-impossible' // no new session can begin: the contact's mailbox is gone
  | 'fingerprint-mismatch' // somebody stood between on the direct path; it was closed
  | 'mailbox-lost' // the relay no longer lets us collect a mailbox
  | 'address-lost' // the relay has other cards under our address than we have
  | 'requests-full'; // so many wait for approval that no more are kept
