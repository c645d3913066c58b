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
) {
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
  );
  const bundle = join(fields, sign(host.edSeed, 'bundle', fields));
  const lookup = h32('lookup', linkKey).slice(0, 16);
  const nonce = draw(24);
  return {
    link: `${terms.relay}/i#${Buffer.from(join(Uint8Array.of(1), linkKey, h32('id', host.ed, host.x))).toString('base64url')}`,
    lookup,
    card: join(nonce, sealed(k(linkKey, 'card')[0], nonce, padded(bundle, 2048), lookup)),
    secret: { spkSecret, pqSeed, psk: k(linkKey, 'psk')[0], bundleHash: h32('bundle', bundle) },
  };
}

export function openInvitation(link: string, card: Uint8Array) {
  const linkKey = new Uint8Array(Buffer.from(link.split('#')[1]!, 'base64url')).slice(1, 17);
  const bundle = unpadded(unseal(k(linkKey, 'card')[0], card.slice(0, 24), card.slice(24), h32('lookup', linkKey).slice(0, 16))!);
  const fields = bundle.slice(0, -64);
  if (!ed25519.verify(bundle.slice(-64), join(ascii('sotto1/bundle'), fields), bundle.slice(2, 34), { zip215: false })) throw new Error('signature');
  return { x: bundle.slice(34, 66), spk: bundle.slice(66, 98), pq: bundle.slice(98, 1314), psk: k(linkKey, 'psk')[0], hash: h32('bundle', bundle) };
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
  const encId = sealed(k(bundle.psk, 'k0', ss, dh1, th0)[0], new Uint8Array(24), join(me.ed, me.x), th0);
  const dh2 = x25519.getSharedSecret(me.xSecret, bundle.spk);
  const th = h32('th', th0, me.ed, me.x, h32('devices'));
  const { rk, ckA, hkA, hkB, nhkA } = keys(bundle.psk, ss, dh1, dh2, th);
  const session = new OracleSession({ th, rk, dhs: ek, hks: hkA, nhks: nhkA, cks: ckA, nhkr: hkB });
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
  const peer = { ed: who.slice(0, 32), x: who.slice(32) };
  const th = h32('th', th0, peer.ed, peer.x, h32('devices'));
  const { rk, ckA, hkA, hkB, nhkA } = keys(secret.psk, ss, dh1, x25519.getSharedSecret(secret.spkSecret, peer.x), th);
  const b = draw(32);
  const [rk2, t] = k(rk, 'rk', x25519.getSharedSecret(b, ek));
  const [cks, nhks] = k(t, 'hk');
  const session = new OracleSession({ th, rk: rk2, dhs: b, hks: hkB, nhks, cks, nhkr: nhkA });
  Object.assign(session, { dhr: ek, hkr: hkA, ckr: ckA, ordinal: 0 });
  return { session, peer };
}

// §5

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

  constructor(start: Pick<OracleSession, 'th' | 'rk' | 'dhs' | 'hks' | 'nhks' | 'cks' | 'nhkr'>) {
    this.th = start.th;
    this.rk = start.rk;
    this.dhs = start.dhs;
    this.hks = start.hks;
    this.nhks = start.nhks;
    this.cks = start.cks;
    this.nhkr = start.nhkr;
  }

  encrypt(body: Uint8Array, draw: Draw, flight: Uint8Array = new Uint8Array(0)): Uint8Array {
    let bucket = flight.length > 0 ? 4096 : 512;
    while (bucket < flight.length + 100 + body.length + 1) bucket *= 2;
    const [cks, mk] = k(this.cks, 'ck');
    const nonce = draw(24);
    const header = join(x25519.getPublicKey(this.dhs), be(this.pn, 4), be(this.ns, 4), new Uint8Array(4));
    const sealedHeader = sealed(this.hks, nonce, header, this.th);
    this.cks = cks;
    this.ns += 1;
    return join(flight, nonce, sealedHeader, sealed(mk, nonce, padded(body, bucket - flight.length - 100), sealedHeader));
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
    const body = (mk: Uint8Array): Uint8Array | 'undecryptable' => {
      const plain = unseal(mk, nonce, message.slice(84), sealedHeader);
      return plain === undefined ? 'undecryptable' : unpadded(plain);
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
      const [pn, n] = [view.getUint32(32), view.getUint32(36)];
      if (view.getUint32(40) !== 0 || n > 10_000 || pn > 10_000) return 'undecryptable';
      const dh = header.slice(0, 32);
      if (ordinal > this.ordinal) {
        this.turn(dh, pn, n, now);
        const opened = body(this.oneMore());
        if (opened !== 'undecryptable') this.answer(draw);
        return opened;
      }
      if (ordinal === this.ordinal && !same(dh, this.dhr!)) return 'undecryptable';
      if (ordinal === this.ordinal && n >= this.nr) {
        this.passOver(n, now);
        return body(this.oneMore());
      }
      const name = `${ordinal}/${n}`;
      const waiting = this.skipped.get(name);
      if (waiting === undefined) return 'duplicate';
      this.skipped.delete(name);
      return body(waiting.mk);
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

  private turn(dh: Uint8Array, pn: number, n: number, now: number): void {
    if (this.hkr !== undefined) {
      this.past = [...this.past, { ordinal: this.ordinal, hk: this.hkr }].slice(-5);
      const oldest = this.past[0]!.ordinal;
      for (const name of this.skipped.keys()) if (Number(name.split('/')[0]) < oldest) this.skipped.delete(name);
      this.passOver(pn, now);
    }
    const [rk, t] = k(this.rk, 'rk', x25519.getSharedSecret(this.dhs, dh));
    const [ck, nhk] = k(t, 'hk');
    Object.assign(this, { rk, ckr: ck, hkr: this.nhkr, nhkr: nhk, dhr: dh, nr: 0, ordinal: this.ordinal + 1 });
    this.passOver(n, now);
  }

  private answer(draw: Draw): void {
    this.dhs = draw(32);
    const [rk, t] = k(this.rk, 'rk', x25519.getSharedSecret(this.dhs, this.dhr!));
    const [cks, nhks] = k(t, 'hk');
    Object.assign(this, { rk, cks, hks: this.nhks, nhks, pn: this.ns, ns: 0 });
  }
}
