// What our side of a peer connection tells the other: a description soon, with the candidates that a short grace has
// brought, and the rest in batches. Each batch costs an envelope, so candidates that come together travel together.

import type { Description } from '../core/description.js';
import { CANDIDATES_MAX } from '../core/description.js';
import { checkCandidate, describe } from '../core/sdp.js';

export interface GatheringTiming {
  /** How long the description waits for candidates, in ms. */
  readonly graceMs: number;
  /** How long a later candidate waits for others, in ms. */
  readonly trickleMs: number;
}

export interface GatheringOptions {
  readonly timing: GatheringTiming;
  /** Whether candidates of this machine alone are told. */
  readonly loopback: boolean;
  readonly onDescription: (description: Description) => void;
  readonly onCandidates: (candidates: readonly string[]) => void;
}

export class Gathering {
  readonly #options: GatheringOptions;
  readonly #told = new Set<string>();
  #batch: string[] = [];
  #description: Description | null = null;
  #described = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: GatheringOptions) {
    this.#options = options;
  }

  /** Our library has made our description. */
  described(sdp: string): void {
    this.#description = describe(sdp);
    this.#description.candidates.forEach((candidate) => this.found(candidate));
    this.#timer = setTimeout(() => this.#tell(), this.#options.timing.graceMs);
  }

  /** Our library has found a candidate. */
  found(text: string): void {
    const candidate = checkCandidate(text, this.#options.loopback);
    if (candidate === null || this.#told.has(candidate) || this.#told.size === CANDIDATES_MAX) return;
    this.#told.add(candidate);
    this.#batch.push(candidate);
    if (this.#described) this.#timer ??= setTimeout(() => this.#tell(), this.#options.timing.trickleMs);
  }

  /** Our library will find no more candidates. */
  complete(): void {
    if (this.#description !== null && !this.#described) this.#tell();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const candidates = this.#batch;
    this.#batch = [];
    if (this.#described) return this.#options.onCandidates(candidates);
    this.#described = true;
    if (this.#description !== null) this.#options.onDescription({ ...this.#description, candidates });
  }
}
