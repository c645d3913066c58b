// A second implementation of PROTOCOL.md §1 to §5, written from its text on other libraries and in another way (mutable state,
// a copy for each attempt). It imports nothing from crypto/: where the two differ, one of them or the text is wrong.

import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { blake2b } from '@noble/hashes/blake2.js';
import { ml_kem768_x25519 as xwing } from '@noble/post-quantum/hybrid.js';

type Draw = (length: number) => Uint8Array;

const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'));
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

function be(value: number, size: number): Uint8Array {
  const field = Buffer.alloc(size);
  field.writeUIntBE(value, 0, size);
  return new Uint8Array(field);
}

function input(label: string, parts: Uint8Array[]): Uint8Array {
  const name = ascii(`sotto1/${label}`);
  return join(be(name.length, 1), name, ...parts.flatMap((part) => [be(part.length, 4), part]));
}

export function h32(label: string, ...parts: Uint8Array[]): Uint8Array {
  return blake2b(input(label, parts), { dkLen: 32 });
}

export function k(key: Uint8Array, label: string, ...parts: Uint8Array[]): [Uint8Array, Uint8Array] {
  const out = blake2b(input(label, parts), { dkLen: 64, key });
  return [out.slice(0, 32), out.slice(32)];
}

export function sign(seed: Uint8Array, label: string, message: Uint8Array): Uint8Array {
  return ed25519.sign(join(ascii(`sotto1/${label}`), message), seed);
}

export function sealed(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, ad: Uint8Array): Uint8Array {
  return xchacha20poly1305(key, nonce, ad).encrypt(plain);
}

function unseal(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, ad: Uint8Array): Uint8Array | undefined {
  try {
    return xchacha20poly1305(key, nonce, ad).decrypt(ciphertext);
  } catch {
    return undefined;
  }
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  return join(bytes, Uint8Array.of(0x80), new Uint8Array(length - bytes.length - 1));
}

function unpadded(bytes: Uint8Array): Uint8Array {
  return bytes.slice(0, bytes.lastIndexOf(0x80));
}

// §2

export interface OracleIdentity {
  ed: Uint8Array;
  x: Uint8Array;
  edSeed: Uint8Array;
  xSecret: Uint8Array;
}

export function identity(draw: Draw): OracleIdentity {
  const edSeed = draw(32);
  const xSecret = draw(32);
  return { ed: ed25519.getPublicKey(edSeed), x: x25519.getPublicKey(xSecret), edSeed, xSecret };
}

type Public = Pick<OracleIdentity, 'ed' | 'x'>;

/** The list of an identity that has had one device since a time. */
export function devices(me: OracleIdentity, addedAt: number): Uint8Array {
  const fields = join(be(1, 4), new Uint8Array(32), be(1, 1), h32('device', me.ed, me.x).slice(0, 8), me.ed, me.x, be(addedAt, 6));
  return join(fields, sign(me.edSeed, 'devices', fields));
}

export function safetyNumber(a: Public, b: Public): string {
  const half = (who: Public): string => {
    let state = join(Uint8Array.of(0, 1), h32('id', who.ed, who.x), who.ed);
    for (let round = 0; round < 5200; round++) state = blake2b(join(state, who.ed));
    return [0, 5, 10, 15, 20, 25].map((at) => String(Buffer.from(state).readUIntBE(at, 5) % 100000).padStart(5, '0')).join('');
  };
  const halves = [half(a), half(b)];
  return halves[0]! < halves[1]! ? halves[0]! + halves[1]! : halves[1]! + halves[0]!;
}

// §3

export function invitation(
  host: OracleIdentity,
  terms: { name: string; relay: string; mailbox: Uint8Array; token: Uint8Array; expiresAt: number },
  draw: Draw,
  nonceOf?: Uint8Array,
) {
  const list = devices(host, 0);
  const linkKey = draw(16);
  const spkSecret = draw(32);
  const pqSeed = draw(32);
  const fields = join(
    Uint8Array.of(1, 0),
    host.ed,
    host.x,
    x25519.getPublicKey(spkSecret),
    xwing.keygen(pqSeed).publicKey,
    be(terms.expiresAt, 6),
    terms.mailbox,
    terms.token,
    be(ascii(terms.name).length, 1),
    ascii(terms.name),
    be(terms.relay.length, 1),
    ascii(terms.relay),
    be(list.length, 2),
    list,
  );
  const bundle = join(fields, sign(host.edSeed, 'bundle', fields));
  const lookup = h32('lookup', linkKey).slice(0, 16);
  const nonce = nonceOf ?? draw(24);
  return {
    bundle,
    link: `${terms.relay}/i#${Buffer.from(join(Uint8Array.of(1), linkKey, h32('id', host.ed, host.x))).toString('base64url')}`,
    lookup,
    card: join(nonce, sealed(k(linkKey, 'card')[0], nonce, padded(bundle, 2048), lookup)),
    secret: { spkSecret, pqSeed, psk: k(linkKey, 'psk')[0], bundleHash: h32('bundle', bundle), devicesHash: h32('devices', list) },
  };
}

export function openInvitation(link: string, card: Uint8Array) {
  const linkKey = new Uint8Array(Buffer.from(link.split('#')[1]!, 'base64url')).slice(1, 17);
  const bundle = unpadded(unseal(k(linkKey, 'card')[0], card.slice(0, 24), card.slice(24), h32('lookup', linkKey).slice(0, 16))!);
  const fields = bundle.slice(0, -64);
  if (!ed25519.verify(bundle.slice(-64), join(ascii('sotto1/bundle'), fields), bundle.slice(2, 34), { zip215: false })) throw new Error('signature');
  const list = fields.slice(-179);
  return { list, x: bundle.slice(34, 66), spk: bundle.slice(66, 98), pq: bundle.slice(98, 1314), psk: k(linkKey, 'psk')[0], hash: h32('bundle', bundle) };
}

// §4.1

/** A reset with these fields, and what its maker keeps. */
export function reset(host: OracleIdentity, terms: Parameters<typeof invitation>[1], rs: Uint8Array, said: { reason: number; madeAt: number; first: number }, draw: Draw) {
  const made = invitation(host, terms, (length) => (length === 16 ? new Uint8Array(16) : draw(length)), new Uint8Array(24));
  const nonce = draw(24);
  const plain = join(Uint8Array.of(0, said.reason), be(said.madeAt, 6), be(said.first, 4), made.bundle);
  return { envelope: join(nonce, sealed(k(rs, 'reset')[0], nonce, padded(plain, 4056), ascii('sotto1/reset'))), secret: { ...made.secret, psk: k(rs, 'psk')[0] } };
}

// §4

function opening(bundleHash: Uint8Array, ek: Uint8Array, ct: Uint8Array): Uint8Array {
  return h32('th0', Uint8Array.of(1), bundleHash, ek, ct);
}

function keys(psk: Uint8Array, ss: Uint8Array, dh1: Uint8Array, dh2: Uint8Array, th: Uint8Array) {
  const [rk, x] = k(psk, 'sk', ss, dh1, dh2, th);
  const [ckA, hkA] = k(x, 'a');
  const [hkB] = k(x, 'b');
  const [nhkA] = k(x, 'c');
  return { rk, ckA, hkA, hkB, nhkA };
}

export function initiate(me: OracleIdentity, bundle: ReturnType<typeof openInvitation>, draw: Draw): { session: OracleSession; flight: Uint8Array } {
  const ek = draw(32);
  const ekPublic = x25519.getPublicKey(ek);
  const { cipherText: ct, sharedSecret: ss } = xwing.encapsulate(bundle.pq, draw(64));
  const th0 = opening(bundle.hash, ekPublic, ct);
  const dh1 = x25519.getSharedSecret(ek, bundle.x);
  const list = h32('devices', devices(me, 0));
  const encId = sealed(k(bundle.psk, 'k0', ss, dh1, th0)[0], new Uint8Array(24), join(me.ed, me.x, list), th0);
  const dh2 = x25519.getSharedSecret(me.xSecret, bundle.spk);
  const th = h32('th', th0, me.ed, me.x, h32('devices', bundle.list), list);
  const { rk, ckA, hkA, hkB, nhkA } = keys(bundle.psk, ss, dh1, dh2, th);
  const session = new OracleSession({ th, rk, dhs: ek, hks: hkA, nhks: nhkA, cks: ckA, nhkr: hkB, braid: { step: 'idle' } });
  return { session, flight: join(ekPublic, ct, encId) };
}

export function respond(
  me: OracleIdentity,
  secret: ReturnType<typeof invitation>['secret'],
  flight: Uint8Array,
  draw: Draw,
): { session: OracleSession; peer: Public } {
  const ek = flight.slice(0, 32);
  const ct = flight.slice(32, 1152);
  const ss = xwing.decapsulate(ct, secret.pqSeed);
  const th0 = opening(secret.bundleHash, ek, ct);
  const dh1 = x25519.getSharedSecret(me.xSecret, ek);
  const who = unseal(k(secret.psk, 'k0', ss, dh1, th0)[0], new Uint8Array(24), flight.slice(1152), th0);
  if (who === undefined) throw new Error('encId');
  const peer = { ed: who.slice(0, 32), x: who.slice(32, 64) };
  const th = h32('th', th0, peer.ed, peer.x, secret.devicesHash, who.slice(64));
  const { rk, ckA, hkA, hkB, nhkA } = keys(secret.psk, ss, dh1, x25519.getSharedSecret(secret.spkSecret, peer.x), th);
  const b = draw(32);
  const [rk2, t] = k(rk, 'rk', x25519.getSharedSecret(b, ek));
  const [cks, nhks] = k(t, 'hk');
  const session = new OracleSession({ th, rk: rk2, dhs: b, hks: hkB, nhks, cks, nhkr: nhkA, braid: { step: 'collecting' } });
  Object.assign(session, { dhr: ek, hkr: hkA, ckr: ckA, ordinal: 0 });
  return { session, peer };
}

// §5

interface OracleBraid {
  step: 'idle' | 'offering' | 'waiting' | 'agreed' | 'collecting' | 'answering';
  seed?: Uint8Array;
  units?: Map<number, Uint8Array>;
  sends?: Uint8Array;
  at?: number;
  ss?: Uint8Array;
  hash?: Uint8Array;
}

export class OracleSession {
  th: Uint8Array;
  rk: Uint8Array;
  dhs: Uint8Array;
  hks: Uint8Array;
  nhks: Uint8Array;
  cks: Uint8Array;
  ns = 0;
  pn = 0;
  dhr: Uint8Array | undefined;
  hkr: Uint8Array | undefined;
  ckr: Uint8Array | undefined;
  nr = 0;
  nhkr: Uint8Array;
  ordinal = -1;
  past: { ordinal: number; hk: Uint8Array }[] = [];
  skipped = new Map<string, { mk: Uint8Array; at: number }>();
  er = 0;
  epochs = 0;
  count = 0;
  since = 0;
  braid: OracleBraid;

  constructor(start: Pick<OracleSession, 'th' | 'rk' | 'dhs' | 'hks' | 'nhks' | 'cks' | 'nhkr' | 'braid'>) {
    this.th = start.th;
    this.rk = start.rk;
    this.dhs = start.dhs;
    this.hks = start.hks;
    this.nhks = start.nhks;
    this.cks = start.cks;
    this.nhkr = start.nhkr;
    this.braid = start.braid;
  }

  encrypt(body: Uint8Array, draw: Draw, flight: Uint8Array = new Uint8Array(0), now = 0): Uint8Array {
    if (this.braid.step === 'idle') {
      const seed = draw(32);
      this.braid = { step: 'offering', seed, sends: xwing.keygen(seed).publicKey, at: 0 };
    }
    const used = flight.length + 100 + 4 + body.length;
    let bucket = flight.length > 0 ? 4096 : 512;
    while (bucket < used) bucket *= 2;
    const { sends = new Uint8Array(0) } = this.braid;
    const overdue = this.count > 0 && (this.count >= 50 || now - this.since >= 86_400_000);
    if (overdue && bucket - used < sends.length && this.ns <= 3 && bucket < 65_536) bucket *= 2;
    const units = Math.min(Math.floor((bucket - used) / 16), sends.length / 16);
    const [first, piece] = [this.braid.at ?? 0, [] as number[]];
    for (let i = 0; i < units * 16; i++) piece.push(sends[(first * 16 + i) % sends.length]!);
    if (units > 0) this.braid = { ...this.braid, at: (first + units) % (sends.length / 16) };
    const plain = join(be(body.length, 2), be(first, 1), be(units, 1), body, Uint8Array.from(piece), new Uint8Array(bucket - used - piece.length));

    const [cks, mk] = k(this.cks, 'ck');
    const nonce = draw(24);
    const header = join(x25519.getPublicKey(this.dhs), be(this.pn, 4), be(this.ns, 4), be(this.epochs, 4));
    const sealedHeader = sealed(this.hks, nonce, header, this.th);
    this.cks = cks;
    this.ns += 1;
    this.tick(now);
    return join(flight, nonce, sealedHeader, sealed(mk, nonce, plain, sealedHeader));
  }

  decrypt(message: Uint8Array, draw: Draw, now: number): Uint8Array | 'undecryptable' | 'duplicate' {
    const attempt: OracleSession = Object.assign(Object.create(OracleSession.prototype), this, { past: [...this.past], skipped: new Map(this.skipped) });
    const result = attempt.receive(message, draw, now);
    if (typeof result !== 'string') Object.assign(this, attempt);
    return result;
  }

  private receive(message: Uint8Array, draw: Draw, now: number): Uint8Array | 'undecryptable' | 'duplicate' {
    const nonce = message.slice(0, 24);
    const sealedHeader = message.slice(24, 84);
    const body = (mk: Uint8Array, epochs: number, after = (): void => {}): Uint8Array | 'undecryptable' => {
      const plain = unseal(mk, nonce, message.slice(84), sealedHeader);
      if (plain === undefined) return 'undecryptable';
      const pieceAt = 4 + Buffer.from(plain).readUInt16BE(0);
      const rest = pieceAt + plain[3]! * 16;
      if (rest > plain.length || !same(plain.slice(rest), new Uint8Array(plain.length - rest))) return 'undecryptable';
      after();
      if (epochs === this.epochs) this.take(plain[2]!, plain.slice(pieceAt, rest), draw);
      this.tick(now);
      if (this.braid.step === 'agreed' && this.ns === 0) {
        [this.cks, this.nhks] = this.enterEpoch();
        this.braid = { step: 'collecting', units: new Map() };
      }
      return plain.slice(4, pieceAt);
    };
    for (const [name, { at }] of this.skipped) if (now - at > 30 * 86_400_000) this.skipped.delete(name);

    const candidates = [
      { ordinal: this.ordinal, hk: this.hkr },
      { ordinal: this.ordinal + 1, hk: this.nhkr },
      ...this.past.toReversed(),
    ];
    for (const { ordinal, hk } of candidates) {
      const header = hk && unseal(hk, nonce, sealedHeader, this.th);
      if (header === undefined) continue;
      const view = new DataView(header.buffer, header.byteOffset);
      const [pn, n, flagged] = [view.getUint32(32), view.getUint32(36), view.getUint32(40)];
      if (flagged >= 1 << 24 || n > 10_000 || pn > 10_000) return 'undecryptable';
      const dh = header.slice(0, 32);
      if (ordinal > this.ordinal) {
        if (flagged !== this.epochs && !(flagged === this.epochs + 1 && this.braid.step === 'answering')) return 'undecryptable';
        this.turn(dh, pn, n, flagged, now);
        return body(this.oneMore(), flagged, () => this.answer(draw));
      }
      if (ordinal === this.ordinal && !(same(dh, this.dhr!) && flagged === this.er)) return 'undecryptable';
      if (ordinal === this.ordinal && n >= this.nr) {
        this.passOver(n, now);
        return body(this.oneMore(), flagged);
      }
      const name = `${ordinal}/${n}`;
      const waiting = this.skipped.get(name);
      if (waiting === undefined) return 'duplicate';
      this.skipped.delete(name);
      return body(waiting.mk, flagged);
    }
    return 'undecryptable';
  }

  private oneMore(): Uint8Array {
    const [ck, mk] = k(this.ckr!, 'ck');
    this.ckr = ck;
    this.nr += 1;
    return mk;
  }

  private passOver(until: number, now: number): void {
    const first = Math.max(this.nr, until - 1000);
    while (this.nr < until) {
      const n = this.nr;
      const mk = this.oneMore();
      if (n >= first) this.skipped.set(`${this.ordinal}/${n}`, { mk, at: now });
    }
    while (this.skipped.size > 2000) this.skipped.delete(this.skipped.keys().next().value!);
  }

  private turn(dh: Uint8Array, pn: number, n: number, epochs: number, now: number): void {
    if (this.hkr !== undefined) {
      this.past = [...this.past, { ordinal: this.ordinal, hk: this.hkr }].slice(-5);
      const oldest = this.past[0]!.ordinal;
      for (const name of this.skipped.keys()) if (Number(name.split('/')[0]) < oldest) this.skipped.delete(name);
      this.passOver(pn, now);
    }
    const [rk, t] = k(this.rk, 'rk', x25519.getSharedSecret(this.dhs, dh));
    let [ck, nhk] = k(t, 'hk');
    this.rk = rk;
    if (epochs > this.epochs) {
      [ck, nhk] = this.enterEpoch();
      this.braid = { step: 'idle' };
    }
    Object.assign(this, { ckr: ck, hkr: this.nhkr, nhkr: nhk, dhr: dh, nr: 0, er: epochs, ordinal: this.ordinal + 1 });
    this.passOver(n, now);
  }

  private answer(draw: Draw): void {
    this.dhs = draw(32);
    const [rk, t] = k(this.rk, 'rk', x25519.getSharedSecret(this.dhs, this.dhr!));
    const [cks, nhks] = k(t, 'hk');
    Object.assign(this, { rk, cks, hks: this.nhks, nhks, pn: this.ns, ns: 0 });
  }

  // §5.8

  private tick(now: number): void {
    if (this.count === 0) this.since = now;
    this.count += 1;
  }

  private enterEpoch(): [Uint8Array, Uint8Array] {
    const [rk, t] = k(this.rk, 'pq', this.braid.ss!, this.braid.hash!);
    Object.assign(this, { rk, epochs: this.epochs + 1, count: 0 });
    return k(t, 'hk');
  }

  private take(first: number, piece: Uint8Array, draw: Draw): void {
    const { step, seed, units: before = new Map<number, Uint8Array>() } = this.braid;
    if (piece.length === 0 || step === 'idle' || step === 'agreed' || step === 'answering') return;
    const whole = step === 'collecting' ? 1216 : 1120;
    const units = new Map(before);
    for (let at = 0; at < piece.length; at += 16) {
      const unit = (first + at / 16) % (whole / 16);
      if (!units.has(unit)) units.set(unit, piece.slice(at, at + 16));
    }
    const got = join(...[...units].toSorted(([a], [b]) => a - b).map(([, bytes]) => bytes));
    const ek = seed === undefined ? got : xwing.keygen(seed).publicKey;
    if (got.length < whole) this.braid = { ...(seed && { seed }), step: seed === undefined ? 'collecting' : 'waiting', units };
    else if (seed === undefined) {
      const { cipherText: ct, sharedSecret: ss } = xwing.encapsulate(ek, draw(64));
      this.braid = { step: 'answering', sends: ct, at: 0, ss, hash: h32('pq', be(this.epochs + 1, 3), ek, ct) };
    } else this.braid = { step: 'agreed', ss: xwing.decapsulate(got, seed), hash: h32('pq', be(this.epochs + 1, 3), ek, got) };
  }
}
