// The peer of the bench `crypto`: libsignal, given the work of one unit. It must never know what it is compared with.

import { randomBytes } from 'node:crypto';
import type { Text } from './epochs.js';
import type { Libsignal, PreKeyBundle, SenderCertificate } from './libsignal.js';
import { DEVICE, type Keeping, Person, Server } from './person.js';
import type { Line } from './race.js';

/** Turns after which a session holds what it holds for good: of chains of the other side, five. */
const SETTLING_TURNS = 8;

/** 20,000 as Protocol Buffers write it: libsignal hashes its way up to 25,000 messages forward before it looks at the authenticator. */
const FORGED_COUNTER = [0xa0, 0x9c, 0x01];

/** Where a chain's first message has its counter: version 1 | ratchet key 2 + 33 | tag 1. */
const COUNTER_AT = 37;

/** To whole blocks less one byte, with at least one byte of padding, as Signal's applications do. */
const PADDING_BLOCK_BYTES = 160;

export class Peer {
  readonly #lib: Libsignal;
  readonly #keeping: Keeping;

  constructor(lib: Libsignal, keeping: Keeping) {
    this.#lib = lib;
    this.#keeping = keeping;
  }

  /** A message of `length` bytes, encrypted and decrypted; nobody answers. */
  oneWay(length: number): Line {
    return async () => {
      const [writer, reader] = await this.#introduce();
      const body = randomBytes(length);
      return () => this.#carry(writer, reader, body);
    };
  }

  /** A message each way: a new ratchet key for either. */
  pingPong(length: number): Line {
    return async () => {
      const [one, other] = await this.#introduce();
      const body = randomBytes(length);
      return async () => {
        await this.#carry(one, other, body);
        await this.#carry(other, one, body);
      };
    };
  }

  /** A message whose sender the server does not see, encrypted and decrypted. */
  sealed(length: number): Line {
    return async () => {
      const [writer, reader] = await this.#introduce();
      const server = new Server(this.#lib);
      const certificate = server.certify(writer);
      const body = randomBytes(length);
      return async () => void await this.#carrySealed(writer, reader, server, certificate, body);
    };
  }

  /** A session from nothing, with the first message decrypted; the bundle of keys was made before. */
  setUp(length: number): Line {
    return () => {
      const [guest, host] = [this.#person(), this.#person()];
      const bundle = host.publish();
      const body = randomBytes(length);
      return () => this.#accept(guest, host, bundle, body);
    };
  }

  /** The same, and the bundle is made for it. */
  inviteAndSetUp(length: number): Line {
    return () => {
      const [guest, host] = [this.#person(), this.#person()];
      const body = randomBytes(length);
      return () => this.#accept(guest, host, host.publish(), body);
    };
  }

  /** A message turned away whose counter was moved forward by one who saw a true one. */
  reject(): Line {
    return async () => {
      const { SignalMessage, signalDecrypt } = this.#lib;
      const [one, other] = await this.#introduce();
      const seen = await this.#send(one, other, randomBytes(1));
      const forged = Buffer.concat([seen.subarray(0, COUNTER_AT), Buffer.from(FORGED_COUNTER), seen.subarray(COUNTER_AT + 1)]);
      return async () => {
        const refused = await signalDecrypt(SignalMessage.deserialize(forged), one.address, other.address, other.sessions, other.identities).then(() => false, () => true);
        if (!refused) throw new Error('a forged message was decrypted');
      };
    };
  }

  /** A message encrypted for each of `count` contacts. */
  fanOut(length: number, count: number): Line {
    return async () => {
      const writer = this.#person();
      const readers = Array.from({ length: count }, () => this.#person());
      for (const reader of readers) await this.#acquaint(writer, reader);
      const body = randomBytes(length);
      return async () => {
        for (const reader of readers) await this.#send(writer, reader, body);
      };
    };
  }

  /** Bytes of each of these texts, padded, and sealed so that the server does not see the sender. */
  async wire(texts: Iterable<Text>): Promise<number[]> {
    const people = await this.#introduce();
    const server = new Server(this.#lib);
    const certificates = people.map((person) => server.certify(person));
    const wires: number[] = [];
    for (const { writer, length } of texts) {
      const [from, to] = [people[writer], people[1 - writer]!];
      const body = new Uint8Array(Math.ceil((length + 2) / PADDING_BLOCK_BYTES) * PADDING_BLOCK_BYTES - 1);
      wires.push(await this.#carrySealed(from, to, server, certificates[writer]!, body));
    }
    return wires;
  }

  #person(): Person {
    return new Person(this.#lib, this.#keeping);
  }

  /** Two people who have talked for a while. */
  async #introduce(): Promise<[Person, Person]> {
    const [one, other] = [this.#person(), this.#person()];
    await this.#acquaint(one, other);
    for (let turn = 0; turn < SETTLING_TURNS; turn += 1) {
      await this.#carry(one, other, randomBytes(1));
      await this.#carry(other, one, randomBytes(1));
    }
    return [one, other];
  }

  /** Lets the first messages go both ways. */
  async #acquaint(guest: Person, host: Person): Promise<void> {
    await this.#accept(guest, host, host.publish(), randomBytes(1));
    await this.#carry(host, guest, randomBytes(1));
  }

  /** Begins a new session between two people, whatever they had before. */
  async #accept(guest: Person, host: Person, bundle: PreKeyBundle, body: Uint8Array): Promise<void> {
    const { processPreKeyBundle, PreKeySignalMessage, signalDecryptPreKey } = this.#lib;
    guest.sessions.forget(host);
    host.sessions.forget(guest);
    await processPreKeyBundle(bundle, host.address, guest.address, guest.sessions, guest.identities);
    const first = PreKeySignalMessage.deserialize(await this.#send(guest, host, body));
    await signalDecryptPreKey(first, guest.address, host.address, host.sessions, host.identities, ...host.keys);
  }

  async #carry(from: Person, to: Person, body: Uint8Array): Promise<void> {
    const { SignalMessage, signalDecrypt } = this.#lib;
    await signalDecrypt(SignalMessage.deserialize(await this.#send(from, to, body)), from.address, to.address, to.sessions, to.identities);
  }

  async #send(from: Person, to: Person, body: Uint8Array): Promise<Uint8Array> {
    return (await this.#lib.signalEncrypt(body, to.address, from.address, from.sessions, from.identities)).serialize();
  }

  /** The length of what the server saw. */
  async #carrySealed(from: Person, to: Person, server: Server, certificate: SenderCertificate, body: Uint8Array): Promise<number> {
    const sealed = await this.#lib.sealedSenderEncryptMessage(body, to.address, certificate, from.sessions, from.identities);
    await this.#lib.sealedSenderDecryptMessage(sealed, server.trustRoot, Date.now(), null, to.name, DEVICE, to.sessions, to.identities, ...to.keys);
    return sealed.length;
  }
}
