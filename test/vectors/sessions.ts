// The vectors of PROTOCOL.md §5 but its limits: the ratchet under loss and forgery, its epochs, and the lengths of envelopes.

import { be, encapsulate, join, kemPublic, Refusal } from '../oracle/notation.js';
import { envelopeId, type Forgery } from '../oracle/session.js';
import { seeded } from './chance.js';
import { hex, Writer } from './conversation.js';
import { ANN, BEA, DAY_MS, NOW, ONE, ZERO } from './people.js';

export function ratchetVectors() {
  const talk = new Writer('loss, delay, repetition and forgery', ANN, BEA);
  talk.opens('inviter', talk.seals('guest', 'hello', true));
  const late = talk.seals('guest', 'late');
  talk.seals('guest', 'lost');
  const ahead = talk.seals('guest', 'ahead');
  for (const [at, what] of [[0, 'nonce'], [24, 'header'], [83, "header's tag"], [84, 'plaintext'], [-1, "plaintext's tag"]] as const) {
    talk.refuses('inviter', talk.altered(ahead, at), 'undecryptable', `the ${what} was altered`);
  }
  talk.opens('inviter', ahead);
  talk.refuses('inviter', talk.altered(late, -1), 'undecryptable', 'a late message was altered; its key stays');
  talk.opens('inviter', late);
  talk.refuses('inviter', late, 'duplicate', 'a late message comes again');
  talk.refuses('guest', ahead, 'undecryptable', 'a message comes back to its sender');
  talk.refuses('inviter', new Uint8Array(99), 'undecryptable', 'it is shorter than any message');
  talk.refuses('inviter', new Uint8Array(65_537), 'undecryptable', 'it is longer than any message');
  forgeries(talk);
  const old = [0, 1, 2, 3, 4, 5, 6].map((turn) => {
    const left = talk.seals('guest', `left behind ${turn}`);
    talk.turn();
    return left;
  });
  talk.refuses('inviter', old[0]!, 'undecryptable', 'its chain is older than the five that are kept');
  for (const message of old.slice(1, 4)) talk.opens('inviter', message);
  talk.refuses('inviter', old[2]!, 'duplicate', 'its chain has ended and its number was used');
  talk.now += 30 * DAY_MS;
  talk.opens('inviter', old[4]!);
  talk.now += 1;
  talk.refuses('inviter', old[5]!, 'duplicate', 'its key is older than 30 days');
  talk.turn('on we go');
  talk.stand();
  return { conversations: [talk.finish()] };
}

/** What only somebody who has the keys of the guest can send; then the guest goes on. */
function forgeries(talk: Writer): void {
  talk.turn();
  talk.opens('guest', talk.seals('inviter', 'so that the guest begins a chain'));
  const lie = (wrong: Forgery, why: string): void => {
    talk.refuses('inviter', talk.ends.guest.forge(seeded(why), wrong), 'undecryptable', why);
  };
  lie({ dh: ZERO }, 'the ratchet key is zero');
  lie({ dh: ONE }, 'the ratchet key is of low order');
  lie({ flags: 1 }, 'the header has a flag');
  lie({ epochs: 3 }, 'the header names an epoch that is not there');
  lie({ n: 10_001 }, 'the number is above the longest chain');
  lie({ previous: 10_001 }, 'the length of the chain before is above the longest chain');
  lie({ plaintext: new Uint8Array(3) }, 'the plaintext is shorter than its head');
  lie({ plaintext: Uint8Array.of(0, 1, 0, 0) }, 'the body is longer than the plaintext');
  lie({ plaintext: Uint8Array.of(0, 0, 0, 1, 7) }, 'the piece is longer than the plaintext');
  lie({ plaintext: Uint8Array.of(0, 0, 0, 0, 1) }, 'behind the piece is a byte that is not zero');
  talk.opens('inviter', talk.seals('guest', 'true'));
  lie({ dh: new Uint8Array(32).fill(9) }, 'the ratchet key is another than that of its chain');
  lie({ epochs: 1 }, 'the epoch is another than that of its chain');
  const late = talk.forges('guest', { previous: 0xffff_ffff });
  talk.turn('still true');
  talk.opens('inviter', late, 'nobody looks how long the chain before a late message was');
}

/** A body that leaves no room for a unit in the smallest envelope, and one that leaves six. */
const [CRAMPED, NARROW] = ['x'.repeat(400), 'x'.repeat(300)];
/** A body behind which there is room for a whole key or ciphertext. */
const ROOMY = 'x'.repeat(2_000);

/** The first flight, an answer, and a message with room for the whole key of the first epoch: the inviter has it. */
function begins(talk: Writer): void {
  talk.opens('inviter', talk.seals('guest', 'hello', true));
  talk.opens('guest', talk.seals('inviter', 'welcome'));
  talk.opens('inviter', talk.seals('guest', ROOMY));
}

export function epochVectors() {
  const turns = new Writer('three epochs, turn by turn', ANN, BEA);
  turns.opens('inviter', turns.seals('guest', 'hello', true));
  while (turns.ends.guest.epochs < 3 || turns.ends.inviter.epochs < 3) turns.turn('text'.repeat(20));
  return { conversations: [turns.finish(), overdueByAge(), overdueByCount(), falseKeys(), falseEpochs(), firstValues(), pieces()] };
}

function overdueByAge() {
  const talk = new Writer('an epoch that is overdue by its age takes larger envelopes', ANN, BEA);
  begins(talk);
  talk.turn(CRAMPED);
  talk.now += DAY_MS - 1;
  talk.opens('inviter', talk.seals('guest', CRAMPED));
  talk.opens('guest', talk.seals('inviter', CRAMPED));
  talk.now += 1;
  for (let turn = 0; turn < 3; turn++) talk.turn(CRAMPED);
  return talk.finish();
}

/** Nothing but the lengths of the messages shows what was counted. */
function overdueByCount() {
  const talk = new Writer('an epoch that is overdue by its count', ANN, BEA);
  const hello = talk.seals('guest', 'hello', true);
  talk.opens('inviter', hello);
  talk.opens('guest', talk.seals('inviter', 'welcome'));
  talk.turns(23, CRAMPED);
  // Both have counted 48.
  const altered = talk.altered(talk.seals('guest', CRAMPED), -1);
  talk.refuses('inviter', altered, 'undecryptable', 'what does not open is not counted');
  talk.refuses('inviter', hello, 'undecryptable', 'what is older than all chains is not counted');
  const second = talk.seals('guest', CRAMPED);
  // The next are those with number 2 to 5 of their chain, at a count of 50 and more: two of them are larger.
  const [third, fourth] = [talk.seals('guest', CRAMPED), talk.seals('guest', 'x'.repeat(930))];
  talk.seals('guest', CRAMPED);
  talk.seals('guest', 'x'.repeat(930));
  for (const message of [second, third]) talk.opens('inviter', message);
  talk.refuses('inviter', third, 'duplicate', 'what comes again is not counted');
  // The inviter has counted 50, and has not the whole key yet: it has nothing to send.
  talk.opens('guest', talk.seals('inviter', CRAMPED));
  talk.opens('inviter', fourth, 'a late message has the piece that completes the key');
  // Numbers 1 to 4 of its chain.
  const answers = [0, 1, 2, 3].map(() => talk.seals('inviter', CRAMPED));
  for (const answer of answers) talk.opens('guest', answer);
  talk.opens('inviter', talk.seals('guest', CRAMPED));
  // The epoch is in both roots, and both have counted 1. In the next one the guest has the whole key at once, and no room for what it answers.
  talk.opens('guest', talk.seals('inviter', ROOMY));
  talk.turns(23, CRAMPED);
  const [at48, at49, at50] = [talk.seals('guest', CRAMPED), talk.seals('guest', CRAMPED), talk.seals('guest', CRAMPED)];
  talk.opens('inviter', at48);
  const [due, overdue] = [talk.seals('inviter', CRAMPED), talk.seals('inviter', CRAMPED)];
  for (const message of [at50, at49]) talk.opens('inviter', message);
  for (const message of [overdue, due]) talk.opens('guest', message);
  talk.opens('inviter', talk.seals('guest', ROOMY));
  talk.turn(CRAMPED);
  return talk.finish();
}

/** A plaintext without a body, with any piece. */
const carrying = (first: number, units: number, bytes: Uint8Array): Uint8Array => join(be(0, 2), be(first, 1), be(units, 1), bytes);

function falseKeys() {
  const talk = new Writer('epochs and keys that are none', ANN, BEA);
  begins(talk);
  talk.opens('guest', talk.seals('inviter', 'answering'));
  talk.refuses('inviter', talk.ends.guest.forge(seeded('early'), { epochs: 1 }), 'undecryptable', 'it says too early that the ciphertext was understood');
  talk.refuses('guest', talk.ends.inviter.forge(seeded('zero'), { plaintext: carrying(0, 70, new Uint8Array(1120)) }), 'undecryptable', 'the ciphertext that it completes has an X25519 part of low order');
  while (talk.ends.inviter.epochs < 1) talk.turn();
  const key = kemPublic(seeded('key')(32));
  talk.refuses('guest', talk.ends.inviter.forge(seeded('modulus'), { plaintext: carrying(0, 76, new Uint8Array(1216).fill(0xff)) }), 'undecryptable', 'the key that it completes is above the modulus');
  talk.refuses('guest', talk.ends.inviter.forge(seeded('order'), { plaintext: carrying(0, 76, join(key.slice(0, 1184), ZERO)) }), 'undecryptable', 'the key that it completes has an X25519 part of low order');
  talk.turn('true');
  return talk.finish();
}

/** A chain names an epoch that cannot be: at each step of the braid. Its keys are those of a root without it, and once of one with it. */
function falseEpochs() {
  const talk = new Writer('chains of epochs that are not there', ANN, BEA);
  const lie = (who: 'guest' | 'inviter', wrong: Forgery, why: string): void => {
    talk.refuses(who === 'guest' ? 'inviter' : 'guest', talk.ends[who].forge(seeded(why), wrong), 'undecryptable', why);
  };
  talk.opens('inviter', talk.seals('guest', 'hello', true));
  lie('inviter', { epochs: 1 }, 'the guest is idle');
  talk.opens('guest', talk.seals('inviter', 'welcome'));
  lie('guest', { epochs: 1 }, 'the inviter is collecting');
  talk.opens('inviter', talk.seals('guest', CRAMPED));
  lie('inviter', { epochs: 1 }, 'the guest is offering');
  talk.opens('inviter', talk.seals('guest', ROOMY));
  talk.opens('guest', talk.seals('inviter', NARROW));
  lie('guest', { epochs: 1 }, 'the inviter is answering, but the secret is not in these keys');
  talk.opens('inviter', talk.seals('guest', NARROW));
  lie('inviter', { epochs: 1 }, 'the guest is waiting');
  const [narrow, roomy] = [talk.seals('inviter', NARROW), talk.seals('inviter', ROOMY)];
  talk.opens('guest', narrow);
  talk.opens('inviter', talk.seals('guest', NARROW));
  talk.opens('guest', roomy);
  lie('inviter', { epochs: 1 }, 'the guest has agreed, and puts the secret in itself');
  lie('inviter', { mixes: true }, 'the guest has agreed, and puts the secret in itself: these keys have it');
  talk.turn();
  // Both have one epoch now, and the guest collects.
  talk.opens('inviter', talk.seals('guest', 'one epoch'));
  lie('inviter', { epochs: 0 }, 'the guest is past that epoch, and collecting');
  lie('inviter', { epochs: 2 }, 'the guest is collecting in the second epoch');
  talk.opens('guest', talk.seals('inviter', 'one epoch'));
  lie('guest', { epochs: 0 }, 'the inviter is past that epoch, and offering');
  talk.turn('true');
  return talk.finish();
}

/** The seed of the key that a step's sealing has drawn: the last 32 bytes before the nonce. */
const seedOf = (talk: Writer, step: number): Uint8Array => talk.drawsOf(step).at(-2)!;

function firstValues() {
  const talk = new Writer('of two values of a unit the first stays', ANN, BEA);
  talk.opens('inviter', talk.seals('guest', 'hello', true));
  talk.opens('guest', talk.seals('inviter', 'welcome'));
  talk.opens('inviter', talk.seals('guest', CRAMPED));
  talk.opens('inviter', talk.forges('guest', { plaintext: carrying(200, 1, ZERO.slice(0, 16)) }), 'it has unit 48 of a key: 200 modulo 76');
  talk.opens('inviter', talk.seals('guest', ROOMY), 'it has the whole key, whose unit 48 is there already');
  talk.opens('guest', talk.seals('inviter', ROOMY), 'the ciphertext is for a key that the guest has not');
  talk.refuses('inviter', talk.seals('guest', 'other keys'), 'undecryptable', 'the two have other secrets now');
  return talk.finish();
}

function pieces() {
  const talk = new Writer('pieces in every form', ANN, BEA);
  talk.opens('inviter', talk.seals('guest', 'hello', true));
  talk.opens('guest', talk.seals('inviter', 'welcome'));
  const offering = talk.seals('guest', CRAMPED);
  talk.opens('inviter', offering);
  const key = kemPublic(seedOf(talk, offering));
  talk.opens('guest', talk.seals('inviter', 'so that its chain has begun'));
  talk.opens('guest', talk.forges('inviter', { plaintext: carrying(5, 0, new Uint8Array(0)) }), 'no units: that is no piece, wherever it would begin, and the guest still offers');
  talk.opens('inviter', talk.seals('guest', CRAMPED));
  talk.opens('inviter', talk.forges('guest', { plaintext: carrying(255, 0, new Uint8Array(0)) }), 'no units');
  const turned = (whole: Uint8Array, first: number): Uint8Array => join(whole.slice(first * 16), whole.slice(0, first * 16));
  const whole = join(turned(key, 200 % 76), new Uint8Array(24 * 16).fill(0xff));
  talk.opens('inviter', talk.forges('guest', { plaintext: carrying(200, 100, whole) }), 'a hundred units from number 200 on: the first 76 are the key');
  const answered = talk.steps.length - 1;
  const { ct } = encapsulate(key, talk.drawsOf(answered)[0]!);
  talk.opens('guest', talk.seals('inviter', CRAMPED));
  talk.opens('guest', talk.forges('inviter', { plaintext: carrying(75, 71, join(turned(ct, 5), ZERO.slice(0, 16))) }), '71 units from number 75 on: the first 70 are the ciphertext');
  talk.turn('an epoch is over');
  talk.turn('and in every key');
  return talk.finish();
}

export function envelopeVectors() {
  const lengthOf = (body: number, withFlight: boolean): number | string => {
    const talk = new Writer('lengths', ANN, BEA);
    try {
      return talk.ends.guest.seal(new Uint8Array(body), seeded('length'), NOW, withFlight ? new Uint8Array(1264) : undefined).length;
    } catch (error) {
      if (error instanceof Refusal) return error.code;
      throw error;
    }
  };
  const bodies = [0, 1, 408, 409, 920, 921, 1944, 1945, 3992, 3993, 8088, 8089, 16_280, 16_281, 32_664, 32_665, 64_168, 64_169];
  const behind = [0, 2728, 2729, 6824, 6825, 15_016, 15_017, 31_400, 31_401, 64_168, 64_169];
  const envelopes = [512, 4096].map((length) => seeded(`envelope ${length}`)(length));
  return {
    lengths: [...bodies.map((body) => ({ body, withFlight: false, now: NOW, envelope: lengthOf(body, false) })), ...behind.map((body) => ({ body, withFlight: true, now: NOW, envelope: lengthOf(body, true) }))],
    ids: envelopes.map((envelope) => ({ envelope: hex(envelope), id: hex(envelopeId(envelope)) })),
  };
}
