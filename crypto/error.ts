// The one class of error and the one table of codes, for every room of the house.
// It lives in the lowest room because everyone may import from here. A code is stable and documented in
// PROTOCOL.md §9; its sentence is what a person reads, and says what to do.

/** Whose fault an error is: the one who called us, the other client, the relay, the network between, or our own disk. */
export type Fault = 'caller' | 'peer' | 'relay' | 'network' | 'disk';

/** Every code, whose fault it is, and the sentence that a person reads when nothing more exact is known. */
export const ERRORS = {
  // Cryptography. One code for every inner reason of a failed decryption, so that errors are no oracle.
  'undecryptable': { fault: 'peer', sentence: 'A message could not be decrypted and was set aside; nothing else changed.' },
  'duplicate': { fault: 'peer', sentence: 'This message was received before; it is not shown again.' },
  'malformed': { fault: 'peer', sentence: 'The data is not in the form that the protocol asks for; it was refused.' },
  'link-invalid': { fault: 'caller', sentence: 'This is not an invitation link; ask for it again and paste it whole.' },
  'card-invalid': { fault: 'relay', sentence: 'The link is not whole or was changed, or the relay gave a false invitation; paste the whole link again, or ask your contact for a new one.' },
  'invitation-expired': { fault: 'caller', sentence: 'This invitation has expired; ask your contact for a new link.' },
  'session-exhausted': { fault: 'caller', sentence: 'This contact has not answered 10,000 messages; write again when they have.' },
  'message-too-large': { fault: 'caller', sentence: 'The message is too long; split it into shorter ones.' },

  // The relay's refusals (relay/wire/relay.proto, Refused.code).
  'mailbox-unknown': { fault: 'relay', sentence: 'The contact has closed this mailbox or the relay has lost it; the message stays queued.' },
  'mailbox-full': { fault: 'relay', sentence: "The contact's mailbox is full; the message stays queued until they collect." },
  'mailbox-taken': { fault: 'relay', sentence: 'This mailbox belongs to another key; nothing was changed.' },
  'token-wrong': { fault: 'caller', sentence: 'The contact no longer accepts messages from here.' },
  'signature-wrong': { fault: 'caller', sentence: 'The relay could not verify that this mailbox is ours.' },
  'not-collecting': { fault: 'caller', sentence: 'This mailbox is not collected on this connection.' },
  'envelope-too-large': { fault: 'caller', sentence: 'The message is larger than the relay takes; split it into shorter ones.' },
  'card-unknown': { fault: 'caller', sentence: 'This invitation was used, has expired, or never existed, or the link is not whole; paste the whole link again, or ask your contact for a new one.' },
  'card-taken': { fault: 'caller', sentence: 'Somebody has used this invitation already, or the link is not whole; paste the whole link again, or ask your contact for a new one and tell them.' },
  'frame-malformed': { fault: 'caller', sentence: 'The relay did not understand the request; update Sotto on the older side.' },
  'wrong-connection': { fault: 'caller', sentence: 'Collecting and depositing use separate connections.' },
  'admission-required': { fault: 'caller', sentence: 'This relay makes mailboxes only for those who have its token; ask its operator for it, or use another relay.' },
  'work-required': { fault: 'caller', sentence: 'This relay asks for a proof of work before it makes a mailbox; update Sotto, which does it by itself.' },
  'replaced': { fault: 'caller', sentence: 'Another connection collects these mailboxes now; only one device can have this identity open.' },
  'too-slow': { fault: 'network', sentence: 'The connection was too slow for what the relay had to send; it will be tried again.' },
  'relay-busy': { fault: 'relay', sentence: 'The relay is at its limit; a message is tried again by itself, anything else you may try again later.' },
  'relay-closing': { fault: 'relay', sentence: 'The relay is shutting down; it will be tried again.' },
  'relay-failed': { fault: 'relay', sentence: 'The relay could not store this; a message is tried again by itself, anything else you may try again later.' },

  // The client.
  'relay-unreachable': { fault: 'network', sentence: 'The relay cannot be reached; check the network and the address, then try again.' },
  'relay-url-invalid': { fault: 'caller', sentence: 'The relay address must look like https://relay.example or http://127.0.0.1:8080.' },
  'relay-elsewhere': { fault: 'peer', sentence: 'Their relay and yours cannot be used together: one of them is on a single machine, in a local network or without https, and the other is not; use a relay that both of you reach.' },
  'home-missing': { fault: 'caller', sentence: 'There is no identity here yet; make one with "sotto init --name NAME --relay URL".' },
  'home-exists': { fault: 'caller', sentence: 'There is an identity here already; go on with it, or choose another folder with --home DIR.' },
  'home-in-use': { fault: 'caller', sentence: 'Another process has this home open and does not answer; end it and try again.' },
  'owner-gone': { fault: 'caller', sentence: 'The process that has this home open ended in the middle; look at "sotto history" before you try again.' },
  'passphrase-required': { fault: 'caller', sentence: 'This home is locked with a passphrase; type the command on a terminal, which asks for it, or set SOTTO_PASSPHRASE.' },
  'passphrase-wrong': { fault: 'caller', sentence: 'The passphrase is wrong; try again.' },
  'backup-invalid': { fault: 'disk', sentence: 'This is no backup of Sotto, or it is not whole or damaged; try another copy.' },
  'backup-key-wrong': { fault: 'caller', sentence: 'This recovery key or passphrase is not that of this backup; nothing was restored.' },
  'recovery-key-invalid': { fault: 'caller', sentence: 'A recovery key is 24 words; check how each one is written, and their order.' },
  'file-exists': { fault: 'caller', sentence: 'There is a file of this name already; choose another name.' },
  'file-failed': { fault: 'disk', sentence: 'The file could not be read or written; check its name, who may use it, and the free space.' },
  'store-damaged': { fault: 'disk', sentence: 'The message store is damaged or the key is wrong; restore it from a backup.' },
  'store-failed': { fault: 'disk', sentence: 'The message store could not be written; check the free space of the disk.' },
  'contact-unknown': { fault: 'caller', sentence: 'No contact has this name or id; "sotto contacts" lists them.' },
  'contact-ambiguous': { fault: 'caller', sentence: 'Several contacts match; give the beginning of the id instead, which "sotto contacts" lists.' },
  'contact-blocked': { fault: 'caller', sentence: 'You have blocked this contact; "sotto contacts unblock CONTACT" takes them back.' },
  'contact-exists': { fault: 'caller', sentence: 'This person is a contact already; write to them with "sotto chat".' },
  'request-unknown': { fault: 'caller', sentence: 'Nobody with this id waits for approval; "sotto requests" lists those who do.' },
  'own-invitation': { fault: 'caller', sentence: 'This is your own invitation; send the link to the person you want to talk to.' },
  'name-invalid': { fault: 'caller', sentence: 'A name has 1 to 64 bytes and no line breaks or control characters.' },
  'outbox-full': { fault: 'caller', sentence: 'Too many messages wait for this contact already; wait until some are delivered.' },
  'message-empty': { fault: 'caller', sentence: 'The message is empty; write something first.' },
  'option-invalid': { fault: 'caller', sentence: 'An option has a value that it cannot take; see --help.' },
  'interrupted': { fault: 'caller', sentence: 'It was ended before anything was done; nothing was made or changed.' },
  'timed-out': { fault: 'network', sentence: 'It did not happen in time; the message stays queued and is sent as soon as possible.' },
  'port-in-use': { fault: 'caller', sentence: 'Another program uses this port; choose another with --port.' },
  'data-in-use': { fault: 'caller', sentence: 'Another relay uses this data folder; end it, or choose another with --data DIR.' },
  'internal': { fault: 'caller', sentence: 'Something went wrong inside Sotto; please report it with what you did.' },
} as const satisfies Record<string, { readonly fault: Fault; readonly sentence: string }>;

/** A documented error code. */
export type ErrorCode = keyof typeof ERRORS;

/** An error with a code, whose fault it is, and one sentence for a person. */
export class SottoError extends Error {
  readonly code: ErrorCode;
  readonly fault: Fault;

  /** @param sentence replaces the table's sentence where more exact words are known (numbers, names). */
  constructor(code: ErrorCode, sentence?: string, cause?: unknown) {
    super(sentence ?? ERRORS[code].sentence, cause === undefined ? undefined : { cause });
    this.name = 'SottoError';
    this.code = code;
    this.fault = ERRORS[code].fault;
  }
}

/** What nobody foresaw. @param what the words of what was thrown */
export function unforeseen(what: string, cause: unknown): SottoError {
  return new SottoError('internal', `Something went wrong inside Sotto (${what}); please report it with what you did.`, cause);
}

/** Whether a string from outside is one of our codes. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}
