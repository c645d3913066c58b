// The vectors of PROTOCOL.md §5.6: each limit at its edge.

import { seeded } from './chance.js';
import { Writer } from './conversation.js';
import { ANN, BEA } from './people.js';

/** The longest chain, the keys that one message stores of a chain, and those of a session. */
const [CHAIN, PER_CHAIN] = [10_000, 1_000];

function begun(name: string): Writer {
  const talk = new Writer(name, ANN, BEA);
  talk.opens('inviter', talk.seals('guest', 'hello', true));
  talk.opens('guest', talk.seals('inviter', 'welcome'));
  return talk;
}

export function limitVectors() {
  return { conversations: [exhausted(), dearest(), keysOfOneChain(), keysOfTwoChains()] };
}

/** 10,000 messages that nobody answers. */
function exhausted() {
  const talk = begun('a chain of ten thousand messages');
  const run = talk.runsOn('guest', CHAIN);
  talk.cannot('guest', 'one more', 'session-exhausted');
  const { guest } = talk.ends;
  talk.refuses('inviter', guest.forge(seeded('beyond'), { n: CHAIN + 1 }), 'undecryptable', 'its number is above the longest chain, and its key is right');
  talk.opens('inviter', [run, CHAIN - 1]);
  talk.refuses('inviter', [run, CHAIN - 2 - PER_CHAIN], 'duplicate', 'its key was given up: 1,000 of a chain are stored');
  talk.opens('inviter', [run, CHAIN - 1 - PER_CHAIN]);
  talk.opens('inviter', guest.forge(seeded('the edge'), { n: CHAIN }), 'no honest sender goes so far, but a receiver does');
  talk.opens('guest', talk.seals('inviter', 'an answer'));
  talk.refuses('inviter', guest.forge(seeded('nothing to step'), { previous: CHAIN + 1 }), 'undecryptable', 'the chain before is longer than the longest, though nothing of it is left to step');
  talk.opens('inviter', talk.seals('guest', 'a new chain'));
  return talk.finish();
}

/** The most hashes that a contact can make us do, and one more. */
function dearest() {
  const talk = new Writer('numbers at their limit', ANN, BEA);
  talk.opens('inviter', talk.seals('guest', 'hello', true));
  talk.seals('inviter', 'lost');
  talk.opens('guest', talk.forges('inviter', { previous: 0xffff_ffff }), 'there is no chain before it, whatever it says');
  talk.seals('guest', 'lost');
  const { guest } = talk.ends;
  talk.refuses('inviter', guest.forge(seeded('n'), { n: CHAIN + 1 }), 'undecryptable', 'its number is above the longest chain, and its key is right');
  talk.refuses('inviter', guest.forge(seeded('previous'), { previous: CHAIN + 1 }), 'undecryptable', 'the chain before is longer than the longest');
  talk.opens('inviter', guest.forge(seeded('both'), { n: CHAIN, previous: CHAIN }), 'both numbers at their limit');
  talk.opens('guest', talk.seals('inviter', 'an answer'));
  talk.opens('inviter', talk.seals('guest', 'a new chain'));
  return talk.finish();
}

function keysOfOneChain() {
  const talk = begun('keys stored of one chain');
  const first = talk.runsOn('guest', PER_CHAIN + 1);
  talk.opens('inviter', talk.seals('guest', 'it passes over 1,001'));
  talk.refuses('inviter', [first, 0], 'duplicate', 'its key was given up: 1,000 of a chain are stored');
  talk.opens('inviter', [first, 1]);
  const second = talk.runsOn('guest', PER_CHAIN + 1);
  talk.opens('inviter', talk.seals('guest', 'it passes over 1,001 more, and 1,999 are stored'));
  talk.refuses('inviter', [second, 0], 'duplicate', 'its key was given up');
  talk.seals('guest', 'lost');
  talk.opens('inviter', talk.seals('guest', 'it passes over one more, and 2,000 are stored'));
  talk.opens('inviter', [first, 2]);
  for (let lost = 0; lost < 2; lost++) {
    talk.seals('guest', 'lost');
    talk.opens('inviter', talk.seals('guest', 'it passes over one more'));
  }
  talk.refuses('inviter', [first, 3], 'duplicate', 'its key was the oldest of 2,001');
  talk.opens('inviter', [first, 4]);
  talk.opens('inviter', [second, PER_CHAIN]);
  return talk.finish();
}

/** One message steps two chains, and stores of each. */
function keysOfTwoChains() {
  const talk = new Writer('keys stored of two chains by one message', ANN, BEA);
  talk.opens('inviter', talk.seals('guest', 'hello', true));
  const answer = talk.seals('inviter', 'welcome');
  const old = talk.runsOn('guest', PER_CHAIN + 1);
  talk.opens('guest', answer);
  const begins = talk.runsOn('guest', PER_CHAIN + 1);
  talk.opens('inviter', talk.seals('guest', 'it passes over 1,001 of each'));
  for (const run of [old, begins]) {
    talk.refuses('inviter', [run, 0], 'duplicate', 'its key was given up: 1,000 of each chain are stored');
    talk.opens('inviter', [run, 1]);
  }
  for (let lost = 0; lost < 3; lost++) talk.seals('guest', 'lost');
  talk.opens('inviter', talk.seals('guest', 'it passes over three, and 2,001 would be stored'));
  talk.refuses('inviter', [old, 2], 'duplicate', 'the keys of the old chain go first');
  talk.opens('inviter', [begins, 2]);
  talk.opens('inviter', [old, 3]);
  return talk.finish();
}
