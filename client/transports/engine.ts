// A peer connection over any WebRTC library: what a library must do for us (Engine), and everything that both platforms do
// alike around it (EnginePeer): candidates pass one gate, the description waits a little, the channel is watched, and the
// end comes once. Knows nothing of libraries, sessions or signaling.

import { CANDIDATES_MAX } from '../core/description.js';
import { checkCandidate, isLoopback, render } from '../core/sdp.js';
import { Gathering, type GatheringTiming } from './gathering.js';
import { Liveness, type LivenessTiming } from './liveness.js';
import type { Pair, Peer, PeerOptions } from './peer.js';

/** One connection of a WebRTC library. Methods that throw end the connection. */
export interface Engine {
  /** Creates the one channel, which makes the library offer. */
  offer(): void;
  /** Applies the other side's description; where it is an offer, the library answers. */
  setRemote(type: 'offer' | 'answer', sdp: string): void;
  /** Adds a candidate, after setRemote. One that the library does not take is dropped. */
  addCandidate(candidate: string): void;
  /** Sends one message; false if the channel is not open or does not take that much. */
  send(message: Uint8Array<ArrayBuffer>): boolean;
  bufferedBytes(): number;
  pair(): Pair | null;
  close(): void;
}

/** What a library reports, never from within a call of Engine. */
export interface EngineEvents {
  onLocalDescription(sdp: string): void;
  onLocalCandidate(candidate: string): void;
  onGathered(): void;
  /** The channel is open; no message comes before this. */
  onOpen(fingerprints: { readonly local: Uint8Array; readonly remote: Uint8Array }): void;
  onMessage(message: Uint8Array): void;
  onEnd(reason: EndReason): void;
}

/** Why a connection is gone: we closed it, the other side did, nothing came any more, it could not be made or broke, or the
 *  other side's description was not one. */
export type EndReason = 'closed' | 'left' | 'silent' | 'failed' | 'malformed';

export type OpenEngine = (events: EngineEvents, options: Pick<PeerOptions, 'stun' | 'turn' | 'bindAddress'>) => Engine;

export type PeerTiming = GatheringTiming & LivenessTiming;

/** A library may leave the pair that it has used for a better one, and says nothing of it. */
const PAIR_LOOK_MS = 2_500;

/** Candidates of this machine and of a STUN server close by come within 150 ms; a dead path is noticed within 4 s in use, 8 s idle. */
export const PEER_TIMING: PeerTiming = { graceMs: 150, trickleMs: 20, busyMs: 1_000, idleMs: 5_000 };

/** Label of the one channel. */
export const CHANNEL_LABEL = 'sotto';

/** A peer connection driven over an engine. */
export class EnginePeer implements Peer, EngineEvents {
  readonly #options: PeerOptions;
  readonly #timing: PeerTiming;
  readonly #loopback: boolean;
  readonly #gathering: Gathering;
  readonly #candidates: string[] = [];
  #engine: Engine | null = null;
  #liveness: Liveness | null = null;
  #described = false;
  /** At the last look, and as told. */
  #wasRelay = false;
  #relayed: boolean | undefined;
  #looking: ReturnType<typeof setInterval> | undefined;
  #ended = false;

  constructor(options: PeerOptions, timing: PeerTiming, openEngine: OpenEngine) {
    this.#options = options;
    this.#timing = timing;
    // Who is bound to loopback talks to this machine only, and its candidates are the only ones of use.
    this.#loopback = options.bindAddress !== null && isLoopback(options.bindAddress);
    this.#gathering = new Gathering({ timing, loopback: this.#loopback, onDescription: options.onDescription, onCandidates: options.onCandidates });
    this.#attempt(() => {
      this.#engine = openEngine(this, options);
      if (options.role === 'offerer') this.#engine.offer();
    });
  }

  setRemote(description: Parameters<Peer['setRemote']>[0], dtls: 'client' | 'server' = 'client'): void {
    if (this.#described || this.#ended) return;
    this.#described = true;
    const answering = this.#options.role === 'answerer';
    if (!answering && description.setup === 'actpass') return this.onEnd('malformed');
    let sdp: string;
    try {
      // An offer that says `active` makes the answerer passive, and the reverse (RFC 4145 §4.1): no library is left the choice.
      sdp = answering ? render(description, dtls === 'server' ? 'active' : 'passive') : render(description);
    } catch {
      return this.onEnd('malformed');
    }
    this.#attempt(() => {
      this.#engine?.setRemote(answering ? 'offer' : 'answer', sdp);
      this.#candidates.forEach((candidate) => this.#engine?.addCandidate(candidate));
    });
    this.addCandidates(description.candidates);
  }

  addCandidates(candidates: readonly string[]): void {
    for (const text of candidates) {
      const candidate = checkCandidate(text, this.#loopback);
      if (candidate === null || this.#ended || this.#candidates.length === CANDIDATES_MAX) continue;
      this.#candidates.push(candidate);
      if (this.#described) this.#attempt(() => this.#engine?.addCandidate(candidate));
    }
  }

  send(frame: Uint8Array): boolean {
    return !this.#ended && this.#liveness !== null && this.#liveness.send(frame);
  }

  bufferedBytes(): number {
    return this.#ended ? 0 : (this.#engine?.bufferedBytes() ?? 0);
  }

  pair(): Pair | null {
    return this.#ended ? null : (this.#engine?.pair() ?? null);
  }

  rttMs(): number | null {
    return this.#liveness?.rttMs ?? null;
  }

  close(): void {
    this.onEnd('closed');
  }

  onLocalDescription(sdp: string): void {
    if (!this.#ended) this.#attempt(() => this.#gathering.described(sdp));
  }

  onLocalCandidate(candidate: string): void {
    if (!this.#ended) this.#gathering.found(candidate);
  }

  onGathered(): void {
    if (!this.#ended) this.#gathering.complete();
  }

  onOpen(fingerprints: { readonly local: Uint8Array; readonly remote: Uint8Array }): void {
    if (this.#ended || this.#liveness !== null) return;
    this.#liveness = new Liveness({
      timing: this.#timing,
      write: (message) => this.#engine?.send(message) ?? false,
      onFrame: this.#options.onFrame,
      onSilent: () => this.onEnd('silent'),
    });
    this.#lookAtPair();
    this.#options.onOpen(fingerprints);
    this.#looking = setInterval(() => this.#lookAtPair(), PAIR_LOOK_MS);
  }

  onMessage(message: Uint8Array): void {
    if (!this.#ended) this.#liveness?.receive(message);
  }

  onEnd(reason: EndReason): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#gathering.stop();
    this.#liveness?.stop();
    clearInterval(this.#looking);
    this.#engine?.close();
    queueMicrotask(() => this.#options.onClosed(reason));
  }

  #lookAtPair(): void {
    // What a library does not tell is not claimed to be direct.
    const isRelay = this.pair()?.local.endsWith(' relay') ?? this.#options.turn !== null;
    // Where one side's server takes the place of the other's, each notices in its own time: at the second look both have.
    const relayed = isRelay || this.#wasRelay;
    this.#wasRelay = isRelay;
    if (relayed === this.#relayed) return;
    this.#relayed = relayed;
    this.#options.onRelayed(relayed);
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch {
      this.onEnd('failed');
    }
  }
}
