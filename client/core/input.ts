// Everything that can happen to a client. The runtime hands one Input at a time to the core; nothing else gets in.

import type { ErrorCode } from '../../crypto/error.js';
import type { Description } from './description.js';
import type { ContactId, EnvelopeId, MailboxId, Policy } from './records.js';

/** A request of the person's; the core answers each exactly once (Output `answer`). Chosen by the runtime. */
export type RequestId = number;
/** Lower-case hex of the 16-byte id of one attempt to open a direct path. */
export type CallId = string & { readonly brand?: 'CallId' };
/** The two connections to a relay, kept apart so that one socket does not tie our mailboxes to our contacts'. */
export type LinkRole = 'collect' | 'deposit';

export type Input =
  // The person.
  | { readonly type: 'invite'; readonly request: RequestId; readonly lifetimeMs: number }
  | { readonly type: 'accept'; readonly request: RequestId; readonly link: string }
  /** Our address: make it if there is none and show it, replace it, or end it. */
  | { readonly type: 'address'; readonly request: RequestId; readonly change: 'show' | 'new' | 'close' }
  | { readonly type: 'approve'; readonly request: RequestId; readonly id: ContactId }
  | { readonly type: 'refuse'; readonly request: RequestId; readonly id: ContactId }
  | { readonly type: 'send'; readonly request: RequestId; readonly contact: ContactId; readonly text: string }
  | { readonly type: 'read'; readonly contact: ContactId; readonly number: number }
  | { readonly type: 'policy'; readonly contact: ContactId; readonly policy: Policy }
  /** The person parts with a contact, or takes a blocked one back. */
  | { readonly type: 'remove' | 'block' | 'unblock'; readonly request: RequestId; readonly contact: ContactId }
  // The relays.
  | { readonly type: 'link'; readonly relay: string; readonly role: LinkRole; readonly online: boolean; readonly rttMs: number }
  | { readonly type: 'collected'; readonly mailbox: MailboxId; readonly error: ErrorCode | null }
  /** The relay's answer to Output `close-mailbox`. */
  | { readonly type: 'closed'; readonly mailbox: MailboxId; readonly error: ErrorCode | null }
  | { readonly type: 'published'; readonly lookup: string; readonly error: ErrorCode | null }
  | { readonly type: 'card'; readonly request: RequestId; readonly card: Uint8Array | null; readonly error: ErrorCode | null }
  | { readonly type: 'delivery'; readonly mailbox: MailboxId; readonly sequence: number; readonly envelope: Uint8Array; readonly ageMs: number }
  /** The relay's answer to Output `put`: null when the envelope is durable there. `retryAfterMs` is its advice, 0 for none. */
  | { readonly type: 'put'; readonly contact: ContactId; readonly envelope: EnvelopeId; readonly error: ErrorCode | null; readonly retryAfterMs: number }
  // The peer connections.
  | { readonly type: 'peer-description'; readonly call: CallId; readonly description: Description }
  | { readonly type: 'peer-candidates'; readonly call: CallId; readonly candidates: readonly string[] }
  | { readonly type: 'peer-open'; readonly call: CallId; readonly local: Uint8Array; readonly remote: Uint8Array }
  /** Whether the connection goes by way of a TURN server; it does not until this says so. */
  | { readonly type: 'peer-pair'; readonly call: CallId; readonly relayed: boolean }
  | { readonly type: 'peer-frame'; readonly call: CallId; readonly frame: Uint8Array }
  | { readonly type: 'peer-closed'; readonly call: CallId; readonly reason: string }
  // The machine.
  | { readonly type: 'network-changed' }
  | { readonly type: 'wake' };
