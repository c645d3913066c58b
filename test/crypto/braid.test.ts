import { describe, expect, it } from 'vitest';
import { equal, toHex } from '../../crypto/bytes.js';
import { FLIGHT_BYTES, respond } from '../../crypto/handshake.js';
import { createIdentity } from '../../crypto/identity.js';
import { openCard, parseLink } from '../../crypto/invitation.js';
import type { Random } from '../../crypto/random.js';
import { EPOCH_MESSAGES, type Step } from '../../crypto/ratchet/braid.js';
import { begin, decrypt, encrypt, packSession, type Session, unpackSession } from '../../crypto/session.js';
import { ready, xwingPublicKey } from '../../crypto/sodium.js';
import { begun, craft, DAY_MS, pieceOf, plaintextOf, Side, sides, turn } from './side.js';
import { bytes, codeOf, initiate, invite, pair, seeded } from './support.js';

await ready();

/** Turns until `a` is at this step. */
function until(at: Step['at'], a: Side, b: Side): void {
  for (let turns = 0; a.session.braid.step.at !== at; turns++) {
    expect(turns).toBeLessThan(40);
    turn(a, b);
  }
}

describe('an epoch', () => {
  it('follows the other as long as people talk, in envelopes of 512 bytes alone', () => {
    const { a, b } = sides('talk');
    const lengths = new Set<number>();
    for (let turns = 0; turns < 80; turns++) for (const { length } of turn(a, b, `turn ${turns}`)) lengths.add(length);
    expect([...lengths]).toEqual([512]);
    expect(a.session.braid.epoch).toBeGreaterThan(9);
    expect(Math.abs(a.session.braid.epoch - b.session.braid.epoch)).toBeLessThan(2);
  });

  it('begins with the first message that the guest sends after an answer', () => {
    const { a, b } = sides('begins');
    a.receive(b.send('answer'));
    expect(a.session.braid.step.at).toBe('idle');
    a.begin();
    const before = a.session;
    const message = a.send('offering');
    expect(pieceOf(before, message)).toMatchObject({ first: 0, bytes: { length: 25 * 16 } });
    expect(a.session.braid.step.at).toBe('offering');
    b.receive(message);
    expect(b.session.braid.step).toMatchObject({ at: 'collecting', key: { has: new Uint8Array(76).fill(1, 0, 25) } });
  });

  it('changes roles after each', () => {
    const { a, b } = sides('roles');
    until('collecting', a, b);
    until('offering', b, a);
    until('collecting', b, a);
    until('offering', a, b);
    expect(a.session.braid.epoch).toBe(2);
  });

  it('is in the root of the next chain where the sides talk in bursts: at once if that chain is not used, else one later', () => {
    for (const used of [false, true]) {
      const { a, b } = begun(`bursts ${used}`);
      const answers = Array.from({ length: 4 }, () => b.send('answer'));
      a.receive(answers[0]!);
      if (used) b.receive(a.send('between'));
      for (const answer of answers.slice(1)) a.receive(answer);
      expect(a.session.braid).toMatchObject({ epoch: 0, step: { at: 'agreed' } });
      turn(a, b);
      expect([a, b].map(({ session }) => session.braid.epoch)).toEqual(used ? [0, 0] : [1, 1]);
      turn(a, b);
      expect([a, b].map(({ session }) => session.braid.epoch)).toEqual([1, 1]);
    }
  });

  it('leaves chains open that were begun before it ended', () => {
    const { a, b } = begun('old chains');
    const late: [Side, Uint8Array][] = [];
    while (b.session.braid.epoch === 0) {
      late.push([b, a.send('late')], [a, b.send('late')]);
      // Of older chains nothing opens.
      expect(late.length).toBeLessThanOrEqual(10);
      turn(a, b);
    }
    for (const [side, message] of late) expect(side.receive(message)).toBe('late');
    turn(a, b);
  });

  it('is not moved by a piece of an epoch that is over, nor by one that says something else of a unit that came before', () => {
    const { a, b } = begun('pieces');
    const late = b.send('late');
    until('collecting', a, b);
    const collecting = a.session.braid.step;
    a.receive(late);
    expect(a.session.braid.step).toEqual(collecting);
    turn(a, b);
    const piece = { first: 0, bytes: new Uint8Array(1200) };
    a.receive(craft(b.session, seeded('lie'), { plaintext: plaintextOf('lie', piece, 1300) }));
    const { key } = a.session.braid.step as Extract<Step, { at: 'collecting' }>;
    const { key: true_ } = b.session.braid.step as Extract<Step, { at: 'offering' }>;
    expect(equal(key.bytes.subarray(0, 16), true_.subarray(0, 16))).toBe(true);
    expect(equal(key.bytes.subarray(74 * 16), new Uint8Array(32))).toBe(true);
    expect([...key.has.subarray(73)]).toEqual([1, 1, 0]);
  });

  it('draws one seed and one encapsulation, however often its pieces are repeated', () => {
    const { guest, inviter } = pair('draws');
    const drawn: number[] = [];
    const counting = (seed: string): Random => {
      const random = seeded(seed);
      return (length) => {
        drawn.push(length);
        return random(length);
      };
    };
    const [a, b] = [new Side(guest, 'a', counting('a')), new Side(inviter, 'b', counting('b'))];
    a.receive(b.send('answer'));
    drawn.length = 0;
    for (let message = 0; message < 30; message++) a.send('nobody is there');
    expect(drawn).toEqual([32, 32, ...Array.from({ length: 30 }, () => 24)]);
    drawn.length = 0;
    for (let turns = 0; turns < 40; turns++) turn(a, b);
    const { epoch } = a.session.braid;
    expect(drawn.filter((length) => length === 64).length).toBeOneOf([epoch, epoch + 1]);
    // The first seed was drawn before, as the first ratchet key was; 79 are ratchet keys.
    expect(drawn.filter((length) => length === 32).length - 79).toBeOneOf([epoch - 1, epoch]);
  });

  it('leaves nothing of its secrets behind, and never more than 2.5 kB of state', () => {
    const { a, b } = sides('erased');
    const secrets = new Map<string, number>();
    const bare = 181 + 132 + 107 + 5 * 36;
    for (let turns = 0; turns < 40; turns++) {
      turn(a, b);
      for (const side of [a, b]) {
        const { epoch, step } = side.session.braid;
        const packed = packSession(side.session);
        expect(packed.length - bare).toBeLessThanOrEqual(2_438);
        expect(unpackSession(packed)).toEqual(side.session);
        if ('seed' in step) secrets.set(toHex(step.seed), epoch);
        if ('secret' in step) secrets.set(toHex(step.secret.shared), epoch);
        for (const [secret, of] of secrets) if (of < epoch) expect(toHex(packed)).not.toContain(secret);
      }
    }
    expect(secrets.size).toBeGreaterThan(8);
  });

  it('is the last at 2^24 - 1: no key is made that no header could name', () => {
    const { a, b } = sides('last');
    until('idle', b, a);
    const atEnd = (session: Session): Session => session.with({
      braid: { ...session.braid, epoch: 0xff_ffff },
      receiving: session.receiving && { ...session.receiving, epoch: 0xff_ffff },
    });
    const [c, d] = [new Side(atEnd(a.session), 'c'), new Side(atEnd(b.session), 'd')];
    turn(c, d);
    turn(c, d);
    expect(d.session.braid.step.at).toBe('idle');
  });
});

describe('an epoch that is overdue', () => {
  /** Leaves no room for a piece in an envelope of 512 bytes. */
  const LONG = 'x'.repeat(400);

  function lengths(a: Side, b: Side, turns: number, now = 0): [number, number][] {
    return Array.from({ length: turns }, () => turn(a, b, LONG, now).map(({ length }) => length) as [number, number]);
  }

  it('after 50 messages takes the next larger bucket, on the side that has something to send, until it is over', () => {
    const { a, b } = begun('overdue');
    const before = b.session.braid.messages;
    const sent = lengths(a, b, 30);
    const larger = sent.flatMap(([, pong], index) => (pong === 1024 ? [index] : []));
    expect(larger).toEqual([0, 1, 2].map((index) => (EPOCH_MESSAGES - before - 1) / 2 + index));
    expect(sent.every(([ping, pong]) => ping === 512 && (pong === 512 || pong === 1024))).toBe(true);
    expect([a, b].map(({ session }) => session.braid.epoch)).toEqual([1, 1]);
  });

  it('after 24 hours, too', () => {
    const { a, b } = begun('a day');
    expect(lengths(a, b, 2, DAY_MS - 1)).toEqual([[512, 512], [512, 512]]);
    // The guest has not seen a piece of the answer yet, and offers its key once more.
    expect(lengths(a, b, 2, DAY_MS)).toEqual([[1024, 1024], [512, 1024]]);
  });

  it('does not raise the price of messages to somebody who does not answer', () => {
    const { a, b } = begun('silence');
    lengths(a, b, 2);
    const sent = Array.from({ length: 8 }, () => b.send(LONG, DAY_MS).length);
    // The first of the chain went before.
    expect(sent).toEqual([1024, 1024, 1024, 512, 512, 512, 512, 512]);
    for (let message = 0; message < 300; message++) b.send(LONG);
    expect(unpackSession(packSession(b.session))).toEqual(b.session);
  });

  it('stays so, however many messages there were', () => {
    const { a, b } = begun('many');
    lengths(a, b, 2);
    let last = b.send(LONG);
    for (let message = 0; message < 260; message++) last = b.send(LONG);
    a.receive(last);
    b.receive(a.send(LONG));
    expect(b.send(LONG)).toHaveLength(1024);
  });

  it('changes no length where there is room for everything, and none beyond the largest', () => {
    const { b } = begun('room');
    const length = (body: number) => encrypt(b.session, new Uint8Array(body), b.random, DAY_MS).message.length;
    expect([0, 2_000, 2_100, 2_872, 2_873, 40_000, 64_168].map(length)).toEqual([1024, 4096, 4096, 4096, 8192, 65_536, 65_536]);
  });
});

describe('a header that names an epoch', () => {
  it('is refused where no honest side could have said it, and nothing changes', () => {
    const random = seeded('epochs');
    const { a, b } = sides('epochs');
    // Within its chain, every header says the same.
    expect(b.refusal(craft(a.session, random, { epoch: 1 }))).toBe('undecryptable');
    until('collecting', a, b);
    turn(a, b);
    turn(a, b);
    const { epoch } = a.session.braid;
    b.send('so that a begins a chain');
    a.receive(b.send('now'));
    a.begin();
    for (const wrong of [epoch - 1, epoch + 1, epoch + 2, 0xff_ffff]) {
      expect(b.refusal(craft(a.session, random, { epoch: wrong }))).toBe('undecryptable');
    }
    expect(b.receive(a.send('true'))).toBe('true');
  });

  it('is refused if it is not the one that the root has grown by', () => {
    const { a, b } = sides('grown');
    until('agreed', a, b);
    expect(b.session.braid).toMatchObject({ epoch: 0, step: { at: 'answering' } });
    a.begin();
    for (const wrong of [0, 2]) expect(b.refusal(craft(a.session, seeded('grown'), { epoch: wrong }))).toBe('undecryptable');
    expect(b.receive(a.send('true'))).toBe('true');
    expect(b.session.braid.epoch).toBe(1);
  });

  it('is refused if it says too early that the answer was understood: the root is another', () => {
    const { a, b } = begun('early');
    a.receive(b.send('answering'));
    expect(b.session.braid.step.at).toBe('answering');
    a.begin();
    expect(b.refusal(craft(a.session, seeded('early'), { epoch: 1 }))).toBe('undecryptable');
    expect(b.receive(a.send('true'))).toBe('true');
  });
});

describe('pieces that make no key', () => {
  it('are refused with the message that completes them, and a true one goes on after it', () => {
    const { a, b } = sides('no key');
    until('idle', b, a);
    b.begin();
    const random = seeded('no key');
    const whole = (first: number, key: Uint8Array) => plaintextOf('x', { first, bytes: key }, 4 + 1 + 1216);
    const key = xwingPublicKey(random(32));
    for (const wrong of [new Uint8Array(1216).fill(0xff), new Uint8Array([...key.subarray(0, 1184), ...new Uint8Array(32)])]) {
      expect(a.refusal(craft(b.session, random, { plaintext: whole(0, wrong) }))).toBe('undecryptable');
    }
    expect(a.receive(craft(b.session, random, { plaintext: whole(0, key) }))).toBe('x');
    expect(a.session.braid.step.at).toBe('answering');
  });

  it('are refused as a ciphertext, too', () => {
    const { a, b } = begun('no ciphertext');
    const random = seeded('no ciphertext');
    b.begin();
    const plaintext = plaintextOf('x', { first: 0, bytes: new Uint8Array(1120) }, 2_000);
    expect(a.refusal(craft(b.session, random, { plaintext }))).toBe('undecryptable');
    expect(a.receive(b.send('true'))).toBe('true');
  });
});

describe('a failure in the middle', () => {
  it('of the source of chance, at any draw, leaves the session as it was', () => {
    const { a, b } = sides('chance');
    for (let turns = 0; turns < 20; turns++) {
      for (const [from, to] of [[a, b], [b, a]] as const) {
        const before = [from, to].map(({ session }) => toHex(packSession(session)));
        for (const allowed of [0, 1]) {
          const failing = (): Random => {
            let left = allowed;
            return (length) => {
              if (left-- === 0) throw new RangeError('no chance');
              return new Uint8Array(length).fill(7);
            };
          };
          const { message } = encrypt(from.session, bytes('lost'), seeded('lost'), 0);
          const attempts = [() => encrypt(from.session, bytes('x'), failing(), 0), () => decrypt(to.session, message, failing(), 0)];
          for (const attempt of attempts) {
            try {
              attempt();
            } catch (error) {
              expect(error).toBeInstanceOf(RangeError);
            }
          }
          expect([from, to].map(({ session }) => toHex(packSession(session)))).toEqual(before);
        }
        expect(to.receive(from.send('true'))).toBe('true');
      }
    }
    expect(a.session.braid.epoch).toBeGreaterThan(1);
  });
});

describe('a packed braid', () => {
  it('is refused where it says what no braid is', () => {
    const { a, b } = sides('packed');
    const spoil = (session: Session, fromEnd: number, value: number) => {
      const packed = packSession(session);
      return codeOf(() => unpackSession(packed.with(packed.length - fromEnd, value)));
    };
    until('idle', b, a);
    expect(spoil(b.session, 1, 6)).toBe('malformed');
    expect(spoil(a.session, 1, 2)).toBe('malformed');
    until('offering', b, a);
    expect(spoil(b.session, 1, 76)).toBe('malformed');
    until('answering', a, b);
    expect(spoil(a.session, 65, 70)).toBe('malformed');
    expect(codeOf(() => unpackSession(packSession(a.session).with(0, 1)))).toBe('malformed');
  });
});

describe('a first flight', () => {
  /** The guest's end and the inviter's before any message, and the flight. */
  function met(seed: string): { guest: Session; host: Session; flight: Uint8Array } {
    const random = seeded(seed);
    const { identity, link, card, secret } = invite(random);
    const { session: guest, flight } = initiate(createIdentity(random), openCard(parseLink(link), card, 0), random);
    return { guest, host: respond(identity, secret, flight).session, flight };
  }

  /** Draws nothing but so many bytes at a time, in this order. */
  function only(...lengths: number[]): Random {
    return (length) => {
      expect(length).toBe(lengths.shift());
      return new Uint8Array(length).fill(7);
    };
  }

  it('has no piece, nor has any message before the answer, however many they are and however old', () => {
    const { guest, flight } = met('no piece');
    let session = guest;
    for (let sent = 0; sent < EPOCH_MESSAGES + 5; sent++) {
      const next = encrypt(session, bytes('is anybody there?'), only(24), sent * DAY_MS, flight);
      expect(next.message).toHaveLength(4096);
      expect(pieceOf(session, next.message.subarray(FLIGHT_BYTES))).toMatchObject({ first: 0, bytes: { length: 0 } });
      session = next.session;
    }
    expect(session.braid.step).toEqual({ at: 'idle' });
  });

  it('is opened and answered for one ratchet key and two nonces: the answer waits for nothing of the braid', () => {
    const { guest, host, flight } = met('answer');
    const first = encrypt(guest, bytes('hello'), only(24), 0, flight);
    const heard = decrypt(host, first.message.subarray(FLIGHT_BYTES), only(), 0).session;
    const answer = encrypt(heard, new Uint8Array(408), only(32, 24), DAY_MS);
    expect(answer.message).toHaveLength(512);
    expect(pieceOf(begin(heard, only(32)), answer.message)).toMatchObject({ first: 0, bytes: { length: 0 } });
    expect(decrypt(first.session, answer.message, only(), DAY_MS).body).toHaveLength(408);
    expect(answer.session.braid).toMatchObject({ epoch: 0, step: { at: 'collecting', key: { has: new Uint8Array(76) } } });
  });

  it('that the inviter sees several times, from several messages, gives one epoch', () => {
    const { guest, host, flight } = met('flights');
    const [a, b] = [new Side(guest, 'a'), new Side(host, 'b')];
    const [first, second] = ['one', 'two'].map((text) => a.send(text, 0, flight).subarray(FLIGHT_BYTES));
    expect(b.receive(second!)).toBe('two');
    const { step } = b.session.braid;
    expect(b.receive(first!)).toBe('one');
    expect(b.session.braid.step).toEqual(step);
    expect(b.refusal(second!)).toBe('duplicate');
    until('answering', b, a);
    until('collecting', a, b);
    expect(a.session.braid.epoch).toBe(1);
  });
});
