// Everybody who may come to a relay in its life, all at once: people who come, collect, rotate their mailbox and go; people who
// write to them; and those who mean no good. It remembers what the relay has accepted, and holds it to that.

import { randomBytes } from 'node:crypto';
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { toHex } from '../../crypto/bytes.js';
import { Line } from '../../relay/line.js';
import { collectRequest, newMailbox, putRequest, type Mailbox } from '../../relay/mailbox.js';
import { COLLECT_PATH, DEPOSIT_PATH } from '../../relay/wire/limits.js';

const PEOPLE = 60;
const WRITERS = 8;
const WRITE_PAUSE_MS = 40;
const DISTURB_PAUSE_MS = 100;
/** How long somebody stays, and is away, at most. */
const STAY_MAX_MS = 6_000;
const AWAY_MAX_MS = 8_000;
/** How often somebody who goes leaves their mailbox behind for another. */
const ROTATE_CHANCE = 0.1;
const ACKNOWLEDGE_PAUSE_MS = 50;
/** What is written lives for half a minute, ten minutes, an hour or a month, by the relay's clock. */
const TTLS = [30, 600, 3_600, 30 * 24 * 3_600] as const;
/** From this on nobody may be away for as long. */
const SURE_TTL = 3_600;
const SIZES = [256, 256, 512, 2_048, 60_000] as const;
/** How long everybody collects at the end, and how long nothing must come for it to be all. */
const DRAIN_MAX_MS = 30_000;
const DRAIN_QUIET_MS = 2_000;

interface Person {
  /** Another when it was rotated. */
  mailbox: Mailbox;
  /** Envelopes that the relay has taken for this mailbox, and that must come. */
  readonly due: Set<string>;
}

export class Crowd {
  readonly #url: URL;
  readonly #people: readonly Person[] = Array.from({ length: PEOPLE }, () => ({ mailbox: newMailbox(), due: new Set<string>() }));
  #over = false;
  #draining = false;
  #lastDeliveryAt = 0;
  #lives: Promise<unknown> = Promise.resolve();
  accepted = 0;
  delivered = 0;
  /** Requests that were refused, and connections that ended before their time. */
  refused = 0;
  cut = 0;

  constructor(url: URL) {
    this.#url = url;
  }

  start(): void {
    const repeat = async (act: () => Promise<void>): Promise<void> => {
      while (!this.#over) await act().catch(() => { this.cut += 1; });
    };
    this.#lives = Promise.all([
      ...this.#people.map((person) => repeat(() => this.#live(person))),
      ...Array.from({ length: WRITERS }, () => repeat(() => this.#write())),
      repeat(() => this.#disturb()),
    ]);
  }

  /** Lets everybody collect what they have not. @returns how many envelopes the relay has accepted and nobody has got. */
  async end(): Promise<number> {
    this.#draining = true;
    this.#lastDeliveryAt = performance.now();
    for (const end = performance.now() + DRAIN_MAX_MS; performance.now() < end && performance.now() - this.#lastDeliveryAt < DRAIN_QUIET_MS + AWAY_MAX_MS;) await sleep(ACKNOWLEDGE_PAUSE_MS);
    this.#over = true;
    await this.#lives;
    return this.#people.reduce((total, { due }) => total + due.size, 0);
  }

  /** Comes, collects for a while, and goes. */
  async #live(person: Person): Promise<void> {
    let sequences: bigint[] = [];
    const line = new Line(this.#url, COLLECT_PATH, ({ sequence, envelope }) => {
      sequences.push(sequence);
      person.due.delete(nameOf(envelope));
      this.delivered += 1;
      this.#lastDeliveryAt = performance.now();
    });
    try {
      const { mailbox } = person.mailbox;
      await line.try(collectRequest(person.mailbox, (await line.welcome()).challenge));
      for (const end = performance.now() + Math.random() * STAY_MAX_MS; (performance.now() < end || this.#draining) && !this.#over;) {
        await sleep(ACKNOWLEDGE_PAUSE_MS);
        const value = { mailbox, sequences };
        sequences = [];
        if (value.sequences.length > 0) await line.try({ case: 'acknowledge', value });
      }
      if (!this.#draining && Math.random() < ROTATE_CHANCE) {
        person.mailbox = newMailbox();
        await line.try({ case: 'close', value: { mailbox } });
        // What was for the old one and is on its way now is refused, or gone with it.
        person.due.clear();
      }
    } finally {
      line.close();
    }
    if (!this.#draining) await sleep(Math.random() * AWAY_MAX_MS);
  }

  /** Writes to whoever it may be for a while, on one connection. */
  async #write(): Promise<void> {
    const line = new Line(this.#url, DEPOSIT_PATH);
    try {
      await line.welcome();
      for (const end = performance.now() + Math.random() * STAY_MAX_MS; performance.now() < end && !this.#draining; await sleep(WRITE_PAUSE_MS)) await this.#put(line);
      if (this.#draining) await sleep(AWAY_MAX_MS);
    } finally {
      line.close();
    }
  }

  async #put(line: Line): Promise<void> {
    const person = pick(this.#people);
    const { mailbox } = person;
    const [envelope, ttlSeconds] = [randomBytes(pick(SIZES)), pick(TTLS)];
    // It may be delivered before its Put is answered.
    if (ttlSeconds >= SURE_TTL) person.due.add(nameOf(envelope));
    const answer = await line.try(putRequest(mailbox, envelope, ttlSeconds));
    if (answer === 'done') this.accepted += 1;
    else this.refused += 1;
    if (answer !== 'done' || person.mailbox !== mailbox) person.due.delete(nameOf(envelope));
  }

  /** Does one thing that a relay must bear. */
  async #disturb(): Promise<void> {
    await pick([() => this.#noise(), () => this.#deaf(), () => this.#card(), () => this.#stranger(), () => fetch(this.#url).then((response) => response.text())])();
    await sleep(DISTURB_PAUSE_MS);
  }

  /** Bytes that mean nothing, or the beginning of a request that never ends. */
  async #noise(): Promise<void> {
    const socket = createConnection(Number(this.#url.port), this.#url.hostname).on('error', () => {});
    socket.write(Math.random() < 0.5 ? randomBytes(2_000) : `GET ${COLLECT_PATH} HTTP/1.1\r\nHost: x\r\n`);
    setTimeout(() => socket.destroy(), STAY_MAX_MS).unref();
    await Promise.resolve();
  }

  /** Collects, and reads nothing of it. */
  async #deaf(): Promise<void> {
    const socket = new WebSocket(new URL(COLLECT_PATH, this.#url.href.replace('http', 'ws'))).on('error', () => {});
    socket.on('open', () => socket.pause());
    setTimeout(() => socket.terminate(), STAY_MAX_MS).unref();
    await Promise.resolve();
  }

  async #card(): Promise<void> {
    const [owner, guest] = [new Line(this.#url, COLLECT_PATH), new Line(this.#url, DEPOSIT_PATH)];
    try {
      const lookup = randomBytes(16);
      await Promise.all([owner.welcome(), guest.welcome()]);
      await owner.try({ case: 'putCard', value: { lookup, card: randomBytes(2_088), ttlSeconds: pick(TTLS.slice(0, 3)) } });
      await guest.try({ case: 'takeCard', value: { lookup, claim: randomBytes(16) } });
      await guest.try({ case: 'askTurn', value: {} });
    } finally {
      owner.close();
      guest.close();
    }
  }

  /** Knows nobody's token. */
  async #stranger(): Promise<void> {
    const line = new Line(this.#url, DEPOSIT_PATH);
    try {
      await line.welcome();
      for (const mailbox of [{ ...pick(this.#people).mailbox, token: randomBytes(16) }, newMailbox()]) await line.try(putRequest(mailbox, randomBytes(500), TTLS[0]));
    } finally {
      line.close();
    }
  }
}

function nameOf(envelope: Uint8Array): string {
  return toHex(envelope.subarray(0, 16));
}

function pick<T>(of: readonly T[]): T {
  return of[Math.floor(Math.random() * of.length)]!;
}
