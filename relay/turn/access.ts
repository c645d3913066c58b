// Who may ask: the long-term credential mechanism (RFC 8489 §9.2) with credentials that expire, and the memory that gives a
// retransmitted request the same answer. Pure. The expiry counts where an allocation is made and nowhere else, so that a long
// call survives it.

import type { Allocation, Flow } from './allocation.js';
import { ERROR_CODE, errorCode, NONCE, readText, REALM, text, USERNAME } from './attribute.js';
import { mayAnswer } from './binding.js';
import type { ErrorNumber } from './commons.js';
import { credentialKey, isExpired, Nonces, REALM_NAME, type Secrets } from './credential.js';
import { ANSWER_MS, ANSWERS_MAX } from './limits.js';
import { ALLOCATE, ERROR, isIntact, valueOf, writeMessage, type Attribute, type ReadMessage } from './message.js';

/** A request whose sender has proven a credential. */
export interface Request {
  readonly flow: Flow;
  readonly message: ReadMessage;
  readonly username: string;
  readonly key: Uint8Array;
}

export type Verdict =
  | { readonly kind: 'admitted'; readonly request: Request }
  /** `code` is null where a nonce is given and nothing else is wrong. No bytes where an answer would be larger than a stranger may be given. */
  | { readonly kind: 'refused'; readonly code: ErrorNumber | null; readonly bytes: Uint8Array | null };

export class Access {
  readonly #secrets: Secrets;
  readonly #nonces: Nonces;

  /** @param key 32 random bytes. */
  constructor(secrets: Secrets, key: Uint8Array) {
    this.#secrets = secrets;
    this.#nonces = new Nonces(key);
  }

  /** Judges a request. `allocation` is that of its flow, if there is one. */
  judge(flow: Flow, bytes: Uint8Array, message: ReadMessage, allocation: Allocation | undefined, now: number): Verdict {
    const refuse = (code: ErrorNumber): Verdict => ({ kind: 'refused', code, bytes: this.#refusal(flow, bytes, message, code, now) });
    const challenge = (code: 401 | 438): Verdict => ({ kind: 'refused', code: null, bytes: this.#refusal(flow, bytes, message, code, now) });
    if (message.integrityAt === null) return challenge(401);
    const [username, realm, nonce] = [USERNAME, REALM, NONCE].map((type) => valueOf(message, type));
    if (username === undefined || realm === undefined || nonce === undefined) return refuse(400);
    if (!this.#nonces.isGood(readText(nonce), flow.source, now)) return challenge(438);
    const name = readText(username);
    const key = name === allocation?.username ? allocation.key : credentialKey(this.#secrets, name);
    if (key === null || !isIntact(bytes, message, key)) return refuse(401);
    if (allocation === undefined && message.type === ALLOCATE && isExpired(name, now)) return refuse(401);
    return { kind: 'admitted', request: { flow, message, username: name, key } };
  }

  #refusal({ source }: Flow, request: Uint8Array, { type, transaction, fingerprint }: ReadMessage, code: number, now: number): Uint8Array | null {
    const attributes: Attribute[] = [{ type: ERROR_CODE, value: errorCode(code) }];
    if (code !== 400) {
      attributes.push({ type: REALM, value: text(REALM_NAME) }, { type: NONCE, value: text(this.#nonces.give(source, now)) });
    }
    const answer = writeMessage({ type: type | ERROR, transaction, attributes, fingerprint });
    return mayAnswer(source, request.length, answer) ? answer : null;
  }
}

/** The last answers to requests of those who were admitted. */
export class Answers {
  readonly #answers = new Map<string, { readonly bytes: Uint8Array; readonly until: number }>();

  get(flow: Flow, transaction: Uint8Array, now: number): Uint8Array | undefined {
    const answer = this.#answers.get(nameOf(flow, transaction));
    return answer !== undefined && answer.until > now ? answer.bytes : undefined;
  }

  set(flow: Flow, transaction: Uint8Array, bytes: Uint8Array, now: number): void {
    for (const [name, { until }] of this.#answers) {
      if (until > now && this.#answers.size < ANSWERS_MAX) break;
      this.#answers.delete(name);
    }
    this.#answers.set(nameOf(flow, transaction), { bytes, until: now + ANSWER_MS });
  }
}

function nameOf({ listener, source: { address, port } }: Flow, transaction: Uint8Array): string {
  return `${listener} ${port} ${address} ${readText(transaction)}`;
}
