// The second implementation, §5: the Double Ratchet with sealed headers, in the words of §5.2. The state is copied for each attempt
// and takes the place of the old one when the attempt has succeeded.

import { begin, type Braid, cut, type Piece, sendsOf, take } from './braid.js';
import { be, dh, type Draw, Fields, h32, join, k, NOTHING, publicX, refuse, same, seal, unseal } from './notation.js';
import type { Standing } from './reset.js';

const DAY_MS = 86_400_000;
const FORGED_MAX = 10_100;

interface OtherChain {
  readonly ordinal: number;
  readonly dh: Uint8Array;
  readonly hk: Uint8Array;
  readonly ck: Uint8Array;
  readonly n: number;
  readonly epochs: number;
}

interface Header {
  readonly dh: Uint8Array;
  readonly previous: number;
  readonly n: number;
  readonly epochs: number;
}

/** DHs, NHKs, CKs, Ns: of a chain that has begun. */
interface OwnChain {
  readonly dhs: Uint8Array;
  readonly nhks: Uint8Array;
  readonly cks: Uint8Array;
  readonly ns: number;
}

interface Start {
  readonly th: Uint8Array;
  readonly rs: Uint8Array;
  rk: Uint8Array;
  hks: Uint8Array;
  own: OwnChain | null;
  other: OtherChain | null;
  nhkr: Uint8Array;
  braid: Braid;
}

interface State extends Start {
  pn: number;
  past: readonly { readonly ordinal: number; readonly hk: Uint8Array }[];
  skipped: readonly { readonly ordinal: number; readonly n: number; readonly mk: Uint8Array; readonly stored: number }[];
  epochs: number;
  count: number;
  since: number;
}

/** What is otherwise in a message than its sender would have it. */
export interface Forgery {
  readonly dh?: Uint8Array;
  readonly previous?: number;
  readonly n?: number;
  readonly flags?: number;
  readonly epochs?: number;
  readonly plaintext?: Uint8Array;
  /** Whether the secret that the sender has answered with is in the root of its chain already, which begins with this message. */
  readonly mixes?: boolean;
  /** Whether the header is sealed as that of the chain after this one. */
  readonly isAhead?: boolean;
}

/** §5.7: the id by which a relay knows an envelope. */
export const envelopeId = (envelope: Uint8Array): Uint8Array => h32('envelope', envelope).slice(0, 16);

export class Session {
  #state: State;

  constructor(start: Start) {
    this.#state = { ...start, pn: 0, past: [], skipped: [], epochs: 0, count: 0, since: 0 };
  }

  get id(): Uint8Array {
    return this.#state.th.slice(0, 16);
  }

  get rs(): Uint8Array {
    return this.#state.rs;
  }

  /** How many epochs are in the root. */
  get epochs(): number {
    return this.#state.epochs;
  }

  /** Ordinal of the other's newest chain, -1 before there is one. */
  get receivingChain(): number {
    return this.#state.other?.ordinal ?? -1;
  }

  /** §4.1: how far this end has come in receiving. */
  get standing(): Standing {
    const { other } = this.#state;
    return other === null ? { chain: 0, next: 0, key: new Uint8Array(32) } : { chain: other.ordinal, next: other.n, key: other.dh };
  }

  /** §5.4 and §5.7. */
  seal(body: Uint8Array, draw: Draw, now: number, flight: Uint8Array = NOTHING): Uint8Array {
    const s = { ...this.#state };
    if (body.length > 64_168) refuse('message-too-large');
    if (s.own?.ns === 10_000) refuse('session-exhausted');
    const own = s.own ?? beginChain(s, draw);
    if (s.other !== null) s.braid = begin(s.braid, s.epochs, draw);
    const used = flight.length + 100 + 4 + body.length;
    let length = flight.length > 0 ? 4096 : 512;
    while (length < used) length *= 2;
    const isOverdue = s.count >= 50 || (s.count > 0 && now - s.since >= DAY_MS);
    if (isOverdue && length - used < sendsOf(s.braid) && own.ns <= 3) length = Math.min(2 * length, 65_536);
    const { piece, braid } = cut(s.braid, length - used);
    s.braid = braid;
    const written = join(be(body.length, 2), be(piece.first, 1), be(piece.units, 1), body, piece.bytes);
    const plaintext = join(written, new Uint8Array(length - flight.length - 100 - written.length));

    const [cks, mk] = k(own.cks, 'ck');
    const nonce = draw(24);
    const header = join(publicX(own.dhs), be(s.pn, 4), be(own.ns, 4), be(0, 1), be(s.epochs, 3));
    const sealedHeader = seal(s.hks, nonce, header, s.th);
    s.own = { ...own, cks, ns: own.ns + 1 };
    tick(s, now);
    this.#state = s;
    return join(flight, nonce, sealedHeader, seal(mk, nonce, plaintext, sealedHeader));
  }

  /**
   * A message such as only the owner of these keys can make: any header, any plaintext, under the right key of its number. Nothing moves
   * on. A number far beyond what a chain may have is refused before any key: it gets a wrong one.
   */
  forge(draw: Draw, wrong: Forgery): Uint8Array {
    const s = { ...this.#state };
    const own = s.own ?? beginChain(s, draw);
    const [first] = wrong.mixes && s.braid.step === 'answering' ? enterEpoch(s, s.braid) : [own.cks];
    const { dh: key, previous, n, flags, epochs, plaintext } = { dh: publicX(own.dhs), previous: s.pn, n: own.ns, flags: 0, epochs: s.epochs, plaintext: new Uint8Array(4), ...wrong };
    let [ck, mk] = k(first, 'ck');
    const until = n > FORGED_MAX ? own.ns : n;
    for (let at = own.ns; at < until; at++) [ck, mk] = k(ck, 'ck');
    const nonce = draw(24);
    const sealedHeader = seal(wrong.isAhead ? own.nhks : s.hks, nonce, join(key, be(previous, 4), be(n, 4), be(flags, 1), be(epochs, 3)), s.th);
    return join(nonce, sealedHeader, seal(mk, nonce, plaintext, sealedHeader));
  }

  /** §5.5. Throws `undecryptable` or `duplicate`. */
  open(message: Uint8Array, draw: Draw, now: number): Uint8Array {
    if (message.length < 100 || message.length > 65_536) refuse('undecryptable');
    const s = { ...this.#state };
    s.skipped = s.skipped.filter(({ stored }) => now - stored <= 30 * DAY_MS);
    const body = receive(s, message, draw, now);
    this.#state = s;
    return body;
  }
}

function receive(s: State, message: Uint8Array, draw: Draw, now: number): Uint8Array {
  const [nonce, sealedHeader, sealedBody] = [message.slice(0, 24), message.slice(24, 84), message.slice(84)];
  const headerUnder = (hk: Uint8Array): Header | undefined => readHeader(unseal(hk, nonce, sealedHeader, s.th));
  const finish = (mk: Uint8Array, epochs: number): Uint8Array => {
    const { body, piece } = readPlaintext(unseal(mk, nonce, sealedBody, sealedHeader) ?? refuse('undecryptable'));
    if (epochs === s.epochs) s.braid = take(s.braid, s.epochs + 1, piece, draw);
    tick(s, now);
    return body;
  };

  const current = s.other && headerUnder(s.other.hk);
  if (s.other && current) {
    if (!same(current.dh, s.other.dh) || current.epochs !== s.other.epochs) refuse('undecryptable');
    if (current.n >= s.other.n) return finish(stepTo(s, s.other, current.n, now), current.epochs);
    return finish(takeStored(s, s.other.ordinal, current.n), current.epochs);
  }
  const next = headerUnder(s.nhkr);
  if (next) return finish(turn(s, next, now), next.epochs);
  for (const { ordinal, hk } of s.past.toReversed()) {
    const late = headerUnder(hk);
    if (late) return finish(takeStored(s, ordinal, late.n), late.epochs);
  }
  return refuse('undecryptable');
}

/** A header that opened; one with flags is of a later version and counts as one that did not. */
function readHeader(plain: Uint8Array | undefined): Header | undefined {
  if (plain === undefined) return undefined;
  const fields = new Fields(plain);
  const [key, previous, n, flags, epochs] = [fields.take(32), fields.number(4), fields.number(4), fields.number(1), fields.number(3)];
  return flags === 0 ? { dh: key, previous, n, epochs } : undefined;
}

function readPlaintext(plaintext: Uint8Array): { body: Uint8Array; piece: Piece } {
  if (plaintext.length < 4) refuse('undecryptable');
  const [bodyLength, first, units] = [plaintext[0]! * 256 + plaintext[1]!, plaintext[2]!, plaintext[3]!];
  const pieceAt = 4 + bodyLength;
  const end = pieceAt + units * 16;
  if (end > plaintext.length || plaintext.slice(end).some((byte) => byte !== 0)) refuse('undecryptable');
  return { body: plaintext.slice(4, pieceAt), piece: { first, units, bytes: plaintext.slice(pieceAt, end) } };
}

/** §5.5, 3: the key of message n of the other's chain; those that are passed over are stored. */
function stepTo(s: State, chain: OtherChain, n: number, now: number): Uint8Array {
  const [ck, mk] = k(passOver(s, chain, n, now), 'ck');
  s.other = { ...chain, ck, n: n + 1 };
  return mk;
}

/** Steps a chain to `until`, storing the newest 1,000 of the keys passed over, and of all keys the newest 2,000. */
function passOver(s: State, { ordinal, ck: from, n: first }: OtherChain, until: number, now: number): Uint8Array {
  if (until > 10_000) refuse('undecryptable');
  const passed: State['skipped'][number][] = [];
  let ck = from;
  for (let n = first; n < until; n++) {
    const [next, mk] = k(ck, 'ck');
    passed.push({ ordinal, n, mk, stored: now });
    ck = next;
  }
  s.skipped = [...s.skipped, ...passed.slice(-1000)].slice(-2000);
  return ck;
}

/** §5.5, 4, up to the opening of the plaintext: the message key. */
function turn(s: State, header: Header, now: number): Uint8Array {
  const own = s.own ?? refuse('undecryptable');
  const [rk, t] = k(s.rk, 'rk', dh(own.dhs, header.dh));
  s.rk = rk;
  let [ck, nhk] = k(t, 'hk');
  if (header.epochs === s.epochs + 1 && s.braid.step === 'answering') {
    [ck, nhk] = enterEpoch(s, s.braid);
    s.braid = { step: 'idle' };
  } else if (header.epochs !== s.epochs) refuse('undecryptable');
  const old = s.other;
  if (old) {
    s.past = [...s.past, { ordinal: old.ordinal, hk: old.hk }].slice(-5);
    s.skipped = s.skipped.filter(({ ordinal }) => ordinal >= s.past[0]!.ordinal);
    passOver(s, old, header.previous, now);
  }
  const begun = { ordinal: old ? old.ordinal + 1 : 0, dh: header.dh, hk: s.nhkr, ck, n: 0, epochs: header.epochs };
  s.nhkr = nhk;
  s.hks = own.nhks;
  s.pn = own.ns;
  s.own = null;
  return stepTo(s, begun, header.n, now);
}

/** §5.4, 2: our next chain. */
function beginChain(s: State, draw: Draw): OwnChain {
  const dhs = draw(32);
  const [rk, t] = k(s.rk, 'rk', dh(dhs, s.other!.dh));
  s.rk = rk;
  let [cks, nhks] = k(t, 'hk');
  if (s.braid.step === 'agreed') {
    [cks, nhks] = enterEpoch(s, s.braid);
    s.braid = { step: 'collecting', units: new Map() };
  }
  return { dhs, nhks, cks, ns: 0 };
}

/** §5.5, 5: the stored key of a number, which it loses. */
function takeStored(s: State, ordinal: number, n: number): Uint8Array {
  const waiting = s.skipped.find((key) => key.ordinal === ordinal && key.n === n) ?? refuse('duplicate');
  s.skipped = s.skipped.filter((key) => key !== waiting);
  return waiting.mk;
}

/** §5.3: an epoch's secret goes into the root; what takes the place of the chain key and the next header key. */
function enterEpoch(s: State, { ss, hash }: { readonly ss: Uint8Array; readonly hash: Uint8Array }): [Uint8Array, Uint8Array] {
  const [rk, t] = k(s.rk, 'pq', ss, hash);
  Object.assign(s, { rk, epochs: s.epochs + 1, count: 0 });
  return k(t, 'hk');
}

/** Counts a message that was sent or opened. */
function tick(s: State, now: number): void {
  if (s.count === 0) s.since = now;
  s.count += 1;
}
