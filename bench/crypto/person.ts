// Who libsignal's sessions are between, and the stores that it asks for. They are the best that an application could give it:
// all in memory, contacts always trusted, no key looked up twice. What they keep as bytes is the sessions, and only if told to.

import { randomUUID } from 'node:crypto';
import type {
  IdentityKeyPair,
  IdentityKeyStore,
  Keys,
  KyberPreKeyRecord,
  Libsignal,
  PreKeyBundle,
  PreKeyRecord,
  PreKeyStores,
  PrivateKey,
  ProtocolAddress,
  PublicKey,
  SenderCertificate,
  SessionRecord,
  SessionStore,
  SignedPreKeyRecord,
} from './libsignal.js';

/** How sessions lie between two messages: as the library's records, or as bytes. */
export type Keeping = 'records' | 'bytes';

export const DEVICE = 1;

/** The id of everything that has one: of each key there is one. */
const ID = 1;

const HOUR_MS = 3600 * 1000;

/** Somebody with one device. */
export class Person {
  readonly name = randomUUID();
  readonly address: ProtocolAddress;
  readonly identity: IdentityKeyPair;
  readonly sessions: Sessions;
  readonly identities: IdentityKeyStore;
  readonly keys: Keys;
  readonly #preKeys: PreKeys;

  constructor(lib: Libsignal, keeping: Keeping) {
    this.address = lib.ProtocolAddress.new(this.name, DEVICE);
    this.identity = lib.IdentityKeyPair.generate();
    this.sessions = new Sessions(lib, keeping);
    this.identities = new Identities(this.identity);
    this.#preKeys = new PreKeys(lib, this.identity);
    this.keys = [this.#preKeys, this.#preKeys, this.#preKeys];
  }

  /** A bundle of the signed key, which stays, and of one-time keys, which are made here. */
  publish(): PreKeyBundle {
    return this.#preKeys.publish();
  }
}

/** Who vouches for senders towards those who receive. */
export class Server {
  readonly trustRoot: PublicKey;
  readonly #lib: Libsignal;
  readonly #root: PrivateKey;

  constructor(lib: Libsignal) {
    this.#lib = lib;
    this.#root = lib.PrivateKey.generate();
    this.trustRoot = this.#root.getPublicKey();
  }

  certify({ name, identity }: Person): SenderCertificate {
    const key = this.#lib.PrivateKey.generate();
    const certificate = this.#lib.ServerCertificate.new(ID, key.getPublicKey(), this.#root);
    return this.#lib.SenderCertificate.new(name, null, DEVICE, identity.publicKey, Date.now() + HOUR_MS, certificate, key);
  }
}

class Sessions implements SessionStore {
  readonly #lib: Libsignal;
  readonly #keeping: Keeping;
  readonly #sessions = new Map<string, SessionRecord | Uint8Array>();

  constructor(lib: Libsignal, keeping: Keeping) {
    this.#lib = lib;
    this.#keeping = keeping;
  }

  async getSession(address: ProtocolAddress): Promise<SessionRecord | null> {
    const kept = this.#sessions.get(address.name()) ?? null;
    return kept instanceof Uint8Array ? this.#lib.SessionRecord.deserialize(kept) : kept;
  }

  async saveSession(address: ProtocolAddress, record: SessionRecord): Promise<void> {
    this.#sessions.set(address.name(), this.#keeping === 'bytes' ? record.serialize() : record);
  }

  forget({ name }: Person): void {
    this.#sessions.delete(name);
  }
}

class Identities implements IdentityKeyStore {
  readonly #own: IdentityKeyPair;
  readonly #known = new Map<string, PublicKey>();

  constructor(own: IdentityKeyPair) {
    this.#own = own;
  }

  async getIdentityKeyPair(): Promise<IdentityKeyPair> {
    return this.#own;
  }

  async getLocalRegistrationId(): Promise<number> {
    return ID;
  }

  async saveIdentity(address: ProtocolAddress, key: PublicKey): Promise<0> {
    this.#known.set(address.name(), key);
    return 0;
  }

  async isTrustedIdentity(): Promise<boolean> {
    return true;
  }

  async getIdentity(address: ProtocolAddress): Promise<PublicKey | null> {
    return this.#known.get(address.name()) ?? null;
  }
}

/** Keys by which strangers begin a session: one that stays, and the newest of those that are used once. */
class PreKeys implements PreKeyStores {
  readonly #lib: Libsignal;
  readonly #identity: IdentityKeyPair;
  readonly #signed: SignedKey;
  #oneTime: OneTimeKeys | null = null;

  constructor(lib: Libsignal, identity: IdentityKeyPair) {
    this.#lib = lib;
    this.#identity = identity;
    const secret = lib.PrivateKey.generate();
    const key = secret.getPublicKey();
    const signature = identity.privateKey.sign(key.serialize());
    this.#signed = { key, signature, record: lib.SignedPreKeyRecord.new(ID, Date.now(), key, secret, signature) };
  }

  publish(): PreKeyBundle {
    const { PreKeyRecord, KyberPreKeyRecord, PreKeyBundle } = this.#lib;
    const secret = this.#lib.PrivateKey.generate();
    const key = secret.getPublicKey();
    const kyber = this.#lib.KEMKeyPair.generate();
    const kyberKey = kyber.getPublicKey();
    const kyberSignature = this.#identity.privateKey.sign(kyberKey.serialize());
    this.#oneTime = { record: PreKeyRecord.new(ID, key, secret), kyberRecord: KyberPreKeyRecord.new(ID, Date.now(), kyber, kyberSignature) };
    return PreKeyBundle.new(ID, DEVICE, ID, key, ID, this.#signed.key, this.#signed.signature, this.#identity.publicKey, ID, kyberKey, kyberSignature);
  }

  async getPreKey(): Promise<PreKeyRecord> {
    return this.#oneTime!.record;
  }

  /** One-time keys last as long as the bundle that names them: a bench uses a bundle more than once. */
  async removePreKey(): Promise<void> {}

  async getSignedPreKey(): Promise<SignedPreKeyRecord> {
    return this.#signed.record;
  }

  async getKyberPreKey(): Promise<KyberPreKeyRecord> {
    return this.#oneTime!.kyberRecord;
  }

  async markKyberPreKeyUsed(): Promise<void> {}
}

interface SignedKey {
  readonly key: PublicKey;
  readonly signature: Uint8Array;
  readonly record: SignedPreKeyRecord;
}

interface OneTimeKeys {
  readonly record: PreKeyRecord;
  readonly kyberRecord: KyberPreKeyRecord;
}
