// Links to a relay that says what a test wants, with a clock that a test moves. The network between the two is a real one, and does not
// wait for that clock.

import { afterEach, beforeAll, beforeEach, vi } from 'vitest';
import type { OwnMailbox } from '../../../client/core/records.js';
import type { Link, LinkOptions, LinkState } from '../../../client/transports/link.js';
import { openRelayLink } from '../../../client/transports/relay-link.js';
import { NodeSocket } from '../../../client/transports/socket-node.js';
import { ready } from '../../../crypto/sodium.js';
import { freePort } from '../../support/port.js';
import { startScriptedRelay, type Caller, type ScriptedRelay } from '../../support/scripted-relay.js';

export const MAILBOX: OwnMailbox = { relay: '', mailbox: '11'.repeat(16), ownerSeed: new Uint8Array(32).fill(2), token: new Uint8Array(16).fill(3) };
export const ENVELOPE = new Uint8Array(100).fill(4);

/** Generous bound on anything that is waited for. */
const PATIENCE_MS = 60_000;

/** A link, and everything that it has told. */
export interface Heard {
  readonly link: Link;
  readonly states: LinkState[];
  readonly deliveries: Parameters<LinkOptions['onDelivery']>[0][];
}

/** A relay and links to it, made anew for each test. */
export class Bench {
  relay!: ScriptedRelay;
  /** How often a link has drawn the length of its next wait: once per connection that failed. */
  failures = 0;
  #links: Link[] = [];

  async start(): Promise<void> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    this.relay = await startScriptedRelay(await freePort());
    this.failures = 0;
  }

  async end(): Promise<void> {
    for (const link of this.#links) link.close();
    this.#links = [];
    vi.useRealTimers();
    await this.relay.close();
  }

  open(role: LinkOptions['role'], url = this.relay.url): Heard {
    const states: LinkState[] = [];
    const deliveries: Heard['deliveries'] = [];
    const random = (): number => {
      this.failures += 1;
      return 0.5;
    };
    const platform = { WebSocket: NodeSocket, now: () => Date.now(), random };
    const link = openRelayLink(platform)({ relay: url, role, onState: (state) => states.push(state), onDelivery: (delivery) => deliveries.push(delivery) });
    this.#links.push(link);
    return { link, states, deliveries };
  }

  /** Waits until a link is online. @returns its connection as the relay sees it */
  async online(heard: Heard): Promise<Caller> {
    await until(() => heard.states.at(-1)?.online === true);
    return this.relay.callers.at(-1) as Caller;
  }
}

/** A bench for each test of a file. */
export function newBench(): Bench {
  const bench = new Bench();
  beforeAll(ready);
  beforeEach(() => bench.start());
  afterEach(() => bench.end());
  return bench;
}

/** Waits for the network without moving the links' clock. */
export async function until(done: () => boolean): Promise<void> {
  const bound = performance.now() + PATIENCE_MS;
  while (!done()) {
    if (performance.now() > bound) throw new Error(`never came: ${done}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Moves the links' clock; the network does not wait for it. */
export function pass(ms: number): void {
  vi.advanceTimersByTime(ms);
}

export const code = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'resolved', (error: { code: string }) => error.code);
