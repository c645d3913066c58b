// Whole conversations of two implementations: any schedule of sending, losing, repeating, reordering, damaging and forging gives
// the same bytes and the same refusals, whichever implementation each side is.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { ready } from '../../crypto/sodium.js';
import type { Session } from '../oracle/session.js';
import { BOTH, type End, type Implementation, oracle, ours } from './implementations.js';
import { DAY_MS } from './side.js';
import { bytes, hex, seeded, string } from './support.js';

await ready();

const TERMS = { name: 'Bea', relay: 'https://relay.example', mailbox: new Uint8Array(16), token: new Uint8Array(16), expiresAt: 1 };

/** Late messages open while their chain is one of so many before the newest. */
const PAST_CHAINS = 5;

type Outcome = { readonly text: string } | { readonly code: string };

/** One side of a conversation. */
interface Party {
  /** The message in hexadecimal. */
  send(text: string, now: number): string;
  receive(message: Uint8Array, now: number): Outcome;
}

function alone(end: End, seed: string): Party {
  let step = 0;
  // Anew for each step: what is drawn for a message that is then refused is nobody's business.
  const random = () => seeded(`${seed} ${step++}`);
  return {
    send: (text, now) => toHex(end.seal(bytes(text), random(), now)),
    receive(message, now) {
      try {
        return { text: string(end.open(message, random(), now)) };
      } catch (error) {
        return { code: (error as { code: string }).code };
      }
    },
  };
}

/** Two ends that are given the same bytes and the same chance: they must do the same at every step. */
function together(ends: readonly End[], seed: string): Party {
  const parties = ends.map((end) => alone(end, seed));
  function agree<T>(act: (party: Party) => T): T {
    const [one, ...others] = parties.map(act);
    for (const other of others) expect(other).toEqual(one);
    return one!;
  }
  return { send: (text, now) => agree((party) => party.send(text, now)), receive: (message, now) => agree((party) => party.receive(message, now)) };
}

/** The two ends after the first flight, and the flight. */
function meet(guest: Implementation, host: Implementation): { ends: readonly [End, End]; flight: Uint8Array } {
  const bea = host.identity(seeded('host'));
  const { link, card, secret } = host.invite(bea, TERMS, seeded('terms'));
  const begun = guest.initiate(guest.identity(seeded('guest')), guest.openCard(link, card, 0), seeded('initiate'));
  const { end } = host.respond(bea, secret, begun.flight);
  return { ends: [begun.end, end], flight: begun.flight };
}

const side = fc.nat(1);
const pick = fc.nat();
const action = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('send' as const), side, count: fc.integer({ min: 1, max: 8 }), length: fc.nat(420) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('talk' as const), side, count: fc.integer({ min: 2, max: 10 }), length: fc.nat(300) }) },
  { weight: 9, arbitrary: fc.record({ kind: fc.constantFrom('deliver' as const, 'repeat' as const, 'lose' as const, 'damage' as const), side, pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('all' as const), side }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 400 }) }) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

interface Sent {
  readonly text: string;
  readonly chain: number;
  readonly message: Uint8Array;
  opened: boolean;
}

/** A conversation on two wires, and what each message must come to. */
class Conversation {
  /** Everything that was sent, and everything that came of it. */
  readonly transcript: string[] = [];
  readonly #parties: readonly Party[];
  readonly #wires: readonly [Sent[], Sent[]] = [[], []];
  /** Of each side: ordinals of the chain it sends in, and of the newest that it has heard. The inviter has heard the flight. */
  readonly #sending = [0, 0];
  readonly #hearing = [-1, 0];
  #now = 0;

  constructor(parties: readonly Party[]) {
    this.#parties = parties;
  }

  play(step: Action, index: number): void {
    switch (step.kind) {
      // Nothing waits longer than the key for it is kept.
      case 'wait': this.#now = Math.min(this.#now + (step.hours / 24) * DAY_MS, 30 * DAY_MS); return;
      case 'send': for (let i = 0; i < step.count; i++) this.#wires[1 - step.side]!.push(this.#send(step.side, `${index}/${i}`, step.length)); return;
      case 'talk': this.talk(step.side, step.count, `${index}`, step.length); return;
      case 'all': for (const sent of this.#wires[step.side]!.splice(0)) this.#deliver(step.side, sent); return;
      default: this.#disturb(step);
    }
  }

  /** In turns, and everything arrives. */
  talk(first: number, count: number, name: string, length = 0): void {
    for (let i = 0; i < count; i++) this.#deliver((first + i + 1) % 2, this.#send((first + i) % 2, `${name}/${i}`, length));
  }

  #disturb({ kind, side: to, pick: chosen }: Extract<Action, { pick: number }>): void {
    const wire = this.#wires[to]!;
    const at = chosen % Math.max(1, wire.length);
    const sent = wire[at];
    if (sent === undefined) return;
    if (kind === 'deliver' || kind === 'lose') wire.splice(at, 1);
    if (kind === 'deliver' || kind === 'repeat') this.#deliver(to, sent);
    if (kind !== 'damage') return;
    const where = chosen % sent.message.length;
    const refused = this.#parties[to]!.receive(sent.message.with(where, sent.message[where]! ^ 0x10), this.#now);
    expect(['undecryptable', 'duplicate']).toContain('code' in refused ? refused.code : 'opened');
    this.transcript.push(JSON.stringify(refused));
  }

  #send(from: number, name: string, length: number): Sent {
    const text = name.padEnd(length, '.');
    const message = this.#parties[from]!.send(text, this.#now);
    this.transcript.push(message);
    return { text, chain: this.#sending[from]!, message: hex(message), opened: false };
  }

  #deliver(to: number, sent: Sent): void {
    const isForgotten = this.#hearing[to]! - sent.chain > PAST_CHAINS;
    const outcome = this.#parties[to]!.receive(sent.message, this.#now);
    this.transcript.push(JSON.stringify(outcome));
    expect(outcome).toEqual(isForgotten ? { code: 'undecryptable' } : sent.opened ? { code: 'duplicate' } : { text: sent.text });
    sent.opened ||= 'text' in outcome;
    if (sent.chain <= this.#hearing[to]!) return;
    this.#hearing[to] = sent.chain;
    this.#sending[to]! += 1;
  }
}

describe('two implementations, side by side', () => {
  it('say and refuse the same, byte for byte, under any schedule; what arrives opens once, and epochs go on', () => {
    let epochs = 0;
    fc.assert(
      fc.property(fc.array(action, { minLength: 40, maxLength: 90 }), (actions) => {
        const [mine, theirs] = [meet(ours, ours), meet(oracle, oracle)];
        expect(toHex(mine.flight)).toBe(toHex(theirs.flight));
        const second = theirs.ends as readonly End[] as readonly [Session, Session];
        const conversation = new Conversation([0, 1].map((index) => together([mine.ends[index]!, second[index]!], `side ${index}`)));
        for (const [index, step] of actions.entries()) conversation.play(step, index);
        const before = second.map((session) => session.epochs);
        conversation.talk(0, 36, 'fair');
        const after = second.map((session) => session.epochs);
        expect(after[0]! > before[0]! && after[1]! > before[1]! && Math.abs(after[0]! - after[1]!) < 2).toBe(true);
        epochs = Math.max(epochs, before[0]!);
      }),
      { numRuns: 10, examples: [[Array.from({ length: 6 }, () => ({ kind: 'talk' as const, side: 0, count: 10, length: 40 }))]] },
    );
    // The schedules themselves, not only the fair end, must have seen epochs.
    expect(epochs).toBeGreaterThan(0);
  });

  it('are one protocol: every pairing of guest and inviter has the same conversation', () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 30, maxLength: 50 }), (actions) => {
        const transcripts = BOTH.flatMap((guest) => BOTH.map((host) => {
          const { ends, flight } = meet(guest, host);
          const conversation = new Conversation(ends.map((end, index) => alone(end, `side ${index}`)));
          for (const [index, step] of actions.entries()) conversation.play(step, index);
          conversation.talk(1, 20, 'fair');
          return [toHex(flight), ...conversation.transcript].join('\n');
        }));
        expect(new Set(transcripts).size).toBe(1);
      }),
      { numRuns: 3 },
    );
  });

  it('begin with the same envelope, and name the session and its resumption secret alike', () => {
    const begun = BOTH.flatMap((guest) => BOTH.map((host) => {
      const { ends, flight } = meet(guest, host);
      const envelope = ends[0].seal(bytes('hello'), seeded('hello'), 0, flight);
      expect(string(ends[1].open(envelope.subarray(flight.length), seeded('b'), 0))).toBe('hello');
      expect(ends.map((end) => [toHex(end.id), toHex(end.rs)])).toEqual([0, 1].map(() => [toHex(ends[0].id), toHex(ends[0].rs)]));
      return [toHex(envelope), toHex(ends[0].id), toHex(ends[0].rs)].join();
    }));
    expect(new Set(begun).size).toBe(1);
  });
});

describe('a contact who leaves the protocol', () => {
  const limits = [0, 1, 5, 1_200, 10_001, 0xffff_ffff];
  const forgery = fc.record({
    dh: fc.constantFrom(undefined, new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31)), new Uint8Array(32).fill(9)),
    previous: fc.constantFrom(undefined, ...limits),
    n: fc.constantFrom(undefined, ...limits),
    flags: fc.constantFrom(undefined, 0, 1, 255),
    epochs: fc.constantFrom(undefined, 0, 1, 2, 0xff_ffff),
    plaintext: fc.constantFrom(undefined, '', '000000', '00010000', '00000001', '0000000001', '000100000700', `0000004c${'ff'.repeat(1216)}`, `00004b4c${'00'.repeat(1216)}`, `00000046${'00'.repeat(1120)}`, `0000ffff${'aa'.repeat(4080)}`),
  });

  const HONEST = { dh: undefined, previous: undefined, n: undefined, flags: undefined, epochs: undefined, plaintext: undefined };

  it('is answered alike by both implementations, and neither is moved by what it refuses', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.nat(24), side, fc.array(forgery, { minLength: 1, maxLength: 6 }), (turns, from, forgeries) => {
        const [mine, theirs] = [meet(ours, ours), meet(oracle, oracle)];
        const parties = [0, 1].map((index) => together([mine.ends[index]!, theirs.ends[index]!], `side ${index}`));
        const conversation = new Conversation(parties);
        conversation.talk(0, turns, 'before');
        const liar = theirs.ends[from] as Session;
        for (const [index, { plaintext, ...header }] of forgeries.entries()) {
          const wrong = Object.fromEntries(Object.entries({ ...header, plaintext: plaintext === undefined ? undefined : hex(plaintext) }).filter(([, value]) => value !== undefined));
          const outcome = parties[1 - from]!.receive(liar.forge(seeded(`lie ${index}`), wrong), 0);
          seen.add('code' in outcome ? outcome.code : 'opened');
        }
        // Whatever was opened or refused, both are still in the same state.
        expect(hex(parties[1 - from]!.send('still here', 0))).toHaveLength(512);
      }),
      // So that every kind of answer is among them in every run.
      { numRuns: 25, examples: [[1, 0, [{ ...HONEST, n: 0 }, HONEST, { ...HONEST, flags: 1 }]]] },
    );
    expect([...seen].toSorted()).toEqual(['duplicate', 'opened', 'undecryptable']);
  });
});
