// The bench `crypto`: what sealing and opening cost without any transport or disk, beside libsignal. Each figure is a race of its
// own. Where the two do not do the same, the difference stands in the peer's name.

import { converse, isOrdinary, mean, measureEpochs } from './crypto/epochs.js';
import { loadLibsignal, type Libsignal } from './crypto/libsignal.js';
import { Peer } from './crypto/peer.js';
import type { Keeping } from './crypto/person.js';
import { type Line, race, warmUp } from './crypto/race.js';
import { figure, type Bench, type Figure } from './figure.js';

const SHORT_BYTES = 100;
const LONG_BYTES = 1024;
const CONTACTS = 50;

/** Texts of the conversation whose bytes and epochs are counted, one each in turn. */
const TEXTS = 1_000;
const BURST = 1;

const MS_PER_S = 1_000;

const LIBSIGNAL = 'libsignal-client 0.103.0';

/** What is said of a peer that could not be installed. */
const MISSING = `${LIBSIGNAL} is not installed`;

/** How the peer's sessions lie between two messages. Ours are packed and unpacked each time, on both sides. */
const KEPT: Readonly<Record<Keeping, string>> = { records: 'its sessions cached', bytes: 'its sessions serialised' };
const BOTH: readonly Keeping[] = ['records', 'bytes'];
const CACHED: readonly Keeping[] = ['records'];

export const crypto: Bench = {
  name: 'crypto',
  sentence: 'messages, sessions and forgeries per second, and bytes per message, beside libsignal',
  run,
};

/** One race: ours, against the peer once for each way in which it keeps its sessions. */
interface Contest {
  readonly figure: string;
  /** Units of work per second of CPU time, or the CPU time of one. */
  readonly unit: `${string}/CPU s` | 'CPU ms';
  readonly ours: Line;
  readonly peer: (peer: Peer) => Line;
  readonly peerName: string;
  readonly kept: readonly Keeping[];
}

async function run(): Promise<Figure[]> {
  const lib = await loadLibsignal();
  const figures: Figure[] = [];
  const all = await contests();
  // All before the first race: they share most of their code.
  for (const contest of all) await warmUp(linesOf(contest, lib));
  for (const contest of all) figures.push(...await hold(contest, lib));
  return [...figures, ...await count(lib)];
}

async function contests(): Promise<Contest[]> {
  // Only here: it loads the built program.
  const ours = await import('./crypto/ours.js');
  const clear = 'no padding, headers in clear';
  return [
    { figure: 'one way, 100 B', unit: 'messages/CPU s', ours: ours.oneWay(SHORT_BYTES), peer: (peer) => peer.oneWay(SHORT_BYTES), peerName: clear, kept: BOTH },
    { figure: 'one way, 1 KiB', unit: 'messages/CPU s', ours: ours.oneWay(LONG_BYTES), peer: (peer) => peer.oneWay(LONG_BYTES), peerName: clear, kept: BOTH },
    { figure: 'ping-pong, 100 B', unit: 'round trips/CPU s', ours: ours.pingPong(SHORT_BYTES), peer: (peer) => peer.pingPong(SHORT_BYTES), peerName: clear, kept: BOTH },
    { figure: 'sender hidden, 100 B', unit: 'messages/CPU s', ours: ours.oneWay(SHORT_BYTES), peer: (peer) => peer.sealed(SHORT_BYTES), peerName: 'sealed sender, no padding', kept: CACHED },
    { figure: 'set-up', unit: 'sessions/CPU s', ours: ours.setUp(SHORT_BYTES), peer: (peer) => peer.setUp(SHORT_BYTES), peerName: 'PQXDH, its bundle made before, as our invitation', kept: CACHED },
    { figure: 'set-up with invitation', unit: 'sessions/CPU s', ours: ours.inviteAndSetUp(SHORT_BYTES), peer: (peer) => peer.inviteAndSetUp(SHORT_BYTES), peerName: 'PQXDH, one-time keys of its bundle made each time', kept: CACHED },
    { figure: 'forgery refused', unit: 'messages/CPU s', ours: ours.reject(), peer: (peer) => peer.reject(), peerName: 'true message with counter moved to 20,000; ours garbage, as nobody can forge a header', kept: CACHED },
    { figure: 'fan-out to 50, sender', unit: 'CPU ms', ours: ours.fanOut(SHORT_BYTES, CONTACTS), peer: (peer) => peer.fanOut(SHORT_BYTES, CONTACTS), peerName: `pairwise, ${clear}`, kept: CACHED },
  ];
}

/** Ours, then the peer's. */
function linesOf({ ours, peer, kept }: Contest, lib: Libsignal | null): Line[] {
  return [ours, ...lib === null ? [] : kept.map((keeping) => peer(new Peer(lib, keeping)))];
}

async function hold(contest: Contest, lib: Libsignal | null): Promise<Figure[]> {
  const { figure: name, unit, peerName, kept } = contest;
  const costs = await race(linesOf(contest, lib));
  const isCost = unit === 'CPU ms';
  const values = costs.map((ms) => isCost ? ms : MS_PER_S / ms);
  return kept.map((keeping, index) => figure({
    figure: kept === BOTH ? `${name}; ${KEPT[keeping]}` : name,
    unit,
    ours: values[0]!,
    peer: values[index + 1] ?? null,
    peerName: lib === null ? MISSING : `${LIBSIGNAL}: ${peerName}`,
    better: isCost ? 'lower' : 'higher',
  }));
}

/** What does not depend on the machine: bytes and epochs of one conversation. */
async function count(lib: Libsignal | null): Promise<Figure[]> {
  const ours = await measureEpochs(TEXTS, BURST);
  const texts = [...converse(TEXTS, BURST)];
  const wires = lib && await new Peer(lib, 'records').wire(texts);
  return [
    figure({
      figure: 'envelope of a text of 45-250 B',
      unit: 'bytes',
      ours: ours.ordinaryWireBytes,
      peer: wires && mean(wires.filter((_, index) => isOrdinary(texts[index]!.length))),
      peerName: wires === null ? MISSING : `${LIBSIGNAL}: sealed sender, the bare text padded to 160 B; ours with frame, mailbox address and token`,
      better: 'lower',
    }),
    figure({
      figure: 'messages per post-quantum epoch',
      unit: 'messages',
      ours: ours.messagesPerEpoch.mean,
      peer: null,
      peerName: 'libsignal does not show its epochs',
      better: 'lower',
    }),
  ];
}
