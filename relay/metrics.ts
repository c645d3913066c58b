// What an operator may count: work and time of the whole relay, and nothing of a person. No label holds an address, a mailbox or
// anything that a client chose.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ErrorCode } from '../crypto/error.js';
import type { Answer, Operation } from './core/operation.js';
import type { Status } from './gate.js';
import type { Totals } from './stores/store.js';
import type { TurnTotals } from './turn/commons.js';

/** What stands now, asked for when somebody looks. */
export interface Standing {
  readonly connections: number;
  readonly waiting: number;
  readonly totals: Totals;
  readonly turn: TurnTotals;
  readonly diskFreeBytes: number;
  readonly short: 'disk' | 'memory' | null;
  readonly certificateEndsAt: number | null;
}

/** By code, the most frequent first. */
export type Refusals = readonly (readonly [code: string, times: number])[];

/** What the relay has done since it started. */
export interface Work {
  /** Envelopes that were taken. */
  readonly taken: number;
  /** Operations that were refused by the store, and what was refused before it was asked. */
  readonly refused: Refusals;
  readonly refusedBefore: Refusals;
  /** Within which time 99 of 100 groups became durable, as in "5 ms"; null if there was none. */
  readonly durableWithin: string | null;
}

/** Seconds within which a group becomes durable: from a disk that does not really flush to one that is dying. */
const GROUP_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const GROUP_SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];

export class Metrics {
  readonly registry = new Registry();
  readonly #operations: Counter<'operation' | 'outcome'>;
  readonly #groupSeconds: Histogram<'le'>;
  readonly #groupSizes: Histogram;
  readonly #look: () => Standing;
  readonly #refused = new Map<string, number>();

  constructor(version: string, look: () => Standing) {
    this.#look = look;
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#operations = new Counter({ name: 'sotto_operations_total', help: 'Operations of the store by their outcome', labelNames: ['operation', 'outcome'], registers });
    this.#groupSeconds = new Histogram({ name: 'sotto_group_seconds', help: 'Time until a group of operations was durable', buckets: GROUP_SECONDS, registers });
    this.#groupSizes = new Histogram({ name: 'sotto_group_operations', help: 'Operations in a group', buckets: GROUP_SIZES, registers });
    const refusals = (): Refusals => this.#refusals();
    this.registry.registerMetric(new Counter({ name: 'sotto_refused_total', help: 'What was refused before the store was asked, by code', labelNames: ['code'], registers: [], collect() { this.reset(); for (const [code, times] of refusals()) this.inc({ code }, times); } }));
    new Gauge({ name: 'sotto_build_info', help: 'Always 1', labelNames: ['version'], registers }).set({ version }, 1);
    this.#gauge('sotto_connections', 'Connections of clients', () => look().connections);
    this.#gauge('sotto_waiting_operations', 'Operations that wait for the store', () => look().waiting);
    for (const name of ['mailboxes', 'envelopes', 'cards', 'bytes'] as const) {
      this.#gauge(`sotto_store_${name}`, name === 'bytes' ? 'Bytes of envelopes and cards that are kept' : `Number of ${name} that are kept`, () => look().totals[name]);
    }
    this.#gauge('sotto_turn_allocations', 'Allocations of the TURN server', () => look().turn.allocations);
    this.registry.registerMetric(new Counter({ name: 'sotto_turn_relayed_bytes_total', help: 'Bytes that it has relayed', registers: [], collect() { this.reset(); this.inc(look().turn.relayedBytes); } }));
    this.#gauge('sotto_disk_free_bytes', 'Bytes free on the disk of the store', () => look().diskFreeBytes);
    for (const what of ['disk', 'memory'] as const) this.#gauge(`sotto_short_of_${what}`, `1 while nothing new is taken for want of ${what}`, () => Number(look().short === what));
    this.#gauge('sotto_certificate_end_seconds', 'When the certificate ends, in seconds since 1970; 0 without one', () => (look().certificateEndsAt ?? 0) / 1_000);
  }

  /** A group of operations was answered. */
  group(operations: readonly Operation[], answers: readonly Answer[], seconds: number): void {
    this.#groupSeconds.observe(seconds);
    this.#groupSizes.observe(operations.length);
    const counts = new Map<string, number>();
    operations.forEach(({ kind }, index) => {
      const answer = answers[index]!;
      const what = `${kind} ${answer.kind === 'refused' ? answer.code : 'done'}`;
      counts.set(what, (counts.get(what) ?? 0) + 1);
    });
    for (const [what, count] of counts) {
      const [operation, outcome] = what.split(' ') as [string, string];
      this.#operations.inc({ operation, outcome }, count);
    }
  }

  /** Somebody was refused before the store was asked. A flood of it costs no more than a number in a map. */
  refused(code: ErrorCode | `http-${Status}`): void {
    this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1);
  }

  async work(): Promise<Work> {
    const refused = new Map<string, number>();
    let taken = 0;
    for (const { labels: { operation, outcome = '' }, value } of (await this.#operations.get()).values) {
      if (outcome !== 'done') refused.set(String(outcome), (refused.get(String(outcome)) ?? 0) + value);
      else if (operation === 'put') taken += value;
    }
    const buckets = (await this.#groupSeconds.get()).values.filter(({ metricName }) => metricName === 'sotto_group_seconds_bucket');
    const groups = buckets.at(-1)?.value ?? 0;
    const within = buckets.find(({ value }) => value >= 0.99 * groups)?.labels['le'];
    return {
      taken,
      refused: [...refused].toSorted(byTimes),
      refusedBefore: this.#refusals(),
      durableWithin: groups === 0 ? null : typeof within === 'number' ? `${within * 1_000} ms` : 'more than 5 s',
    };
  }

  /** TURN counts its own, in all its threads. */
  #refusals(): Refusals {
    const ofTurn = this.#look().turn.refused.map(([code, times]) => [`turn-${code}`, times] as const);
    return [...this.#refused, ...ofTurn].toSorted(byTimes);
  }

  #gauge(name: string, help: string, read: () => number): void {
    this.registry.registerMetric(new Gauge({ name, help, registers: [], collect() { this.set(read()); } }));
  }
}

function byTimes([, a]: Refusals[number], [, b]: Refusals[number]): number {
  return b - a;
}
