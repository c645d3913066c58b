// libsignal's library for Node, as far as the bench `crypto` uses it, and how it gets here. It is AGPL-3.0: no dependency of the
// project, but installed beside this file, in the version of the lock file there, when the bench is run for the first time.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A variable, so that the compiler does not look for a package that need not be here. */
const PACKAGE: string = '@signalapp/libsignal-client';
const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const INSTALL = ['ci', '--prefix', FOLDER, '--ignore-scripts', '--no-audit', '--no-fund'];

/** The library, installed if it is not here yet; null, and the reason on stderr, where it cannot be had. */
export async function loadLibsignal(): Promise<Libsignal | null> {
  try {
    // What npm says is no part of the result, which has stdout.
    if (!existsSync(`${FOLDER}node_modules/${PACKAGE}`)) execFileSync('npm', INSTALL, { stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
    return await import(PACKAGE) as Libsignal;
  } catch (error) {
    process.stderr.write(`There is no libsignal to compare with: ${String(error)}\n`);
    return null;
  }
}

/** A thing of the library that only the library looks into; `kind` tells the compiler which. */
interface Handle<Kind extends string> {
  readonly kind?: Kind;
}

export type PublicKey = Handle<'PublicKey'> & { serialize(): Uint8Array };
export type PreKeyBundle = Handle<'PreKeyBundle'>;
export type SenderCertificate = Handle<'SenderCertificate'>;
type SignalMessage = Handle<'SignalMessage'>;
type PreKeySignalMessage = Handle<'PreKeySignalMessage'>;
export type PreKeyRecord = Handle<'PreKeyRecord'>;
export type SignedPreKeyRecord = Handle<'SignedPreKeyRecord'>;
export type KyberPreKeyRecord = Handle<'KyberPreKeyRecord'>;
type KemPublicKey = Handle<'KemPublicKey'> & { serialize(): Uint8Array };
type ServerCertificate = Handle<'ServerCertificate'>;

export interface PrivateKey extends Handle<'PrivateKey'> {
  getPublicKey(): PublicKey;
  sign(message: Uint8Array): Uint8Array;
}

export interface IdentityKeyPair {
  readonly publicKey: PublicKey;
  readonly privateKey: PrivateKey;
}

interface KemKeyPair extends Handle<'KemKeyPair'> {
  getPublicKey(): KemPublicKey;
}

export interface ProtocolAddress extends Handle<'ProtocolAddress'> {
  name(): string;
}

export interface SessionRecord extends Handle<'SessionRecord'> {
  serialize(): Uint8Array;
}

interface CiphertextMessage extends Handle<'CiphertextMessage'> {
  serialize(): Uint8Array;
}

export interface SessionStore {
  getSession(address: ProtocolAddress): Promise<SessionRecord | null>;
  saveSession(address: ProtocolAddress, record: SessionRecord): Promise<void>;
}

export interface IdentityKeyStore {
  getIdentityKeyPair(): Promise<IdentityKeyPair>;
  getLocalRegistrationId(): Promise<number>;
  /** 0 is IdentityChange.NewOrUnchanged. */
  saveIdentity(address: ProtocolAddress, key: PublicKey): Promise<0>;
  isTrustedIdentity(): Promise<boolean>;
  getIdentity(address: ProtocolAddress): Promise<PublicKey | null>;
}

/** The stores of one-time, signed and Kyber keys in one. */
export interface PreKeyStores {
  getPreKey(): Promise<PreKeyRecord>;
  removePreKey(): Promise<void>;
  getSignedPreKey(): Promise<SignedPreKeyRecord>;
  getKyberPreKey(): Promise<KyberPreKeyRecord>;
  markKyberPreKeyUsed(): Promise<void>;
}

export type Keys = readonly [preKeys: PreKeyStores, signedPreKeys: PreKeyStores, kyberPreKeys: PreKeyStores];
type Stores = readonly [sessions: SessionStore, identities: IdentityKeyStore];

/** A class without a constructor: `new` is the name of its maker. */
interface Made<Given extends readonly unknown[], T> {
  'new'(...given: Given): T;
}

interface Read<T> {
  deserialize(bytes: Uint8Array): T;
}

interface Generated<T> {
  generate(): T;
}

export interface Libsignal {
  readonly IdentityKeyPair: Generated<IdentityKeyPair>;
  readonly KEMKeyPair: Generated<KemKeyPair>;
  readonly KyberPreKeyRecord: Made<[id: number, timestamp: number, keys: KemKeyPair, signature: Uint8Array], KyberPreKeyRecord>;
  readonly PreKeyBundle: Made<[
    registrationId: number, deviceId: number, preKeyId: number, preKey: PublicKey, signedPreKeyId: number, signedPreKey: PublicKey, signedPreKeySignature: Uint8Array,
    identityKey: PublicKey, kyberPreKeyId: number, kyberPreKey: KemPublicKey, kyberPreKeySignature: Uint8Array,
  ], PreKeyBundle>;
  readonly PreKeyRecord: Made<[id: number, publicKey: PublicKey, privateKey: PrivateKey], PreKeyRecord>;
  readonly PreKeySignalMessage: Read<PreKeySignalMessage>;
  readonly PrivateKey: Generated<PrivateKey>;
  readonly ProtocolAddress: Made<[name: string, deviceId: number], ProtocolAddress>;
  readonly SenderCertificate: Made<[
    senderUuid: string, senderE164: null, deviceId: number, senderKey: PublicKey, expiration: number, signer: ServerCertificate, signerKey: PrivateKey,
  ], SenderCertificate>;
  readonly ServerCertificate: Made<[keyId: number, serverKey: PublicKey, trustRoot: PrivateKey], ServerCertificate>;
  readonly SessionRecord: Read<SessionRecord>;
  readonly SignalMessage: Read<SignalMessage>;
  readonly SignedPreKeyRecord: Made<[id: number, timestamp: number, publicKey: PublicKey, privateKey: PrivateKey, signature: Uint8Array], SignedPreKeyRecord>;
  processPreKeyBundle(bundle: PreKeyBundle, address: ProtocolAddress, localAddress: ProtocolAddress, ...stores: Stores): Promise<void>;
  signalEncrypt(message: Uint8Array, address: ProtocolAddress, localAddress: ProtocolAddress, ...stores: Stores): Promise<CiphertextMessage>;
  signalDecrypt(message: SignalMessage, address: ProtocolAddress, localAddress: ProtocolAddress, ...stores: Stores): Promise<Uint8Array>;
  signalDecryptPreKey(message: PreKeySignalMessage, address: ProtocolAddress, localAddress: ProtocolAddress, ...stores: readonly [...Stores, ...Keys]): Promise<Uint8Array>;
  sealedSenderEncryptMessage(message: Uint8Array, address: ProtocolAddress, certificate: SenderCertificate, ...stores: Stores): Promise<Uint8Array>;
  sealedSenderDecryptMessage(
    message: Uint8Array, trustRoot: PublicKey, timestamp: number, localE164: null, localUuid: string, localDeviceId: number, ...stores: readonly [...Stores, ...Keys]
  ): Promise<{ message(): Uint8Array }>;
}
