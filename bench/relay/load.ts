// The load of the bench `relay`: pairs of a sender and a receiver at one server. It makes messages, counts them, and times them;
// it knows nothing of what is spoken with the server.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Broker, Receiver, Sender, Server } from './broker.js';

const PAIRS = 8;
/** Messages of each pair on their way at a time. */
const IN_FLIGHT = 32;
const STEADY_PER_SECOND = 1_000;
/** How long messages may take to come after the last was sent. */
const PATIENCE_MS = 20_000;

const MS_PER_S = 1_000;

/** What a server did in one go. */
export interface Rates {
  readonly perSecond: number;
  /** CPU seconds of the server for 1,000 messages. */
  readonly cpuPer1k: number;
}

export class Load {
  readonly #broker: Broker;
  readonly #server: Server;
  readonly #size: number;
  readonly #senders: Sender[] = [];
  #receivers: readonly Receiver[] = [];
  #latencies: number[] = [];
  #received = 0;
  #sent = 0;
  #onReceived: () => void = () => {};

  private constructor(broker: Broker, server: Server, size: number) {
    [this.#broker, this.#server, this.#size] = [broker, server, size];
  }

  static async open(broker: Broker, server: Server, size: number): Promise<Load> {
    const load = new Load(broker, server, size);
    await load.#arrive();
    for (let pair = 0; pair < PAIRS; pair += 1) load.#senders.push(await broker.sender(server.port, pair));
    return load;
  }

  close(): void {
    for (const sender of this.#senders) sender.close();
    for (const receiver of this.#receivers) void receiver.leave().catch(() => {});
  }

  /** As fast as each pair's window lets it, until the last message is received. */
  async full(ms: number): Promise<Rates> {
    const end = performance.now() + ms;
    return this.#rate(async () => {
      await this.#windows(async (sender) => {
        while (performance.now() < end) await sender.send(this.#payload());
      });
      await this.#allReceived();
    });
  }

  /** At a steady pace; how long each message took to its receiver, in ms. */
  async steady(ms: number): Promise<readonly number[]> {
    const latencies: number[] = this.#latencies = [];
    const since = performance.now();
    let count = 0;
    while (performance.now() < since + ms) {
      const due = (performance.now() - since) / MS_PER_S * STEADY_PER_SECOND;
      for (; count < due; count += 1) void this.#senders[count % PAIRS]!.send(this.#payload());
      await sleep(1);
    }
    await this.#allReceived();
    // What comes later has another story.
    this.#latencies = [];
    return latencies;
  }

  /** The receivers leave, and so many messages are kept for each. */
  async keep(each: number): Promise<Rates> {
    await Promise.all(this.#receivers.map((receiver) => receiver.leave()));
    return this.#rate(() => this.#windows(async (sender) => {
      for (let count = 0; count < each / IN_FLIGHT; count += 1) await sender.send(this.#payload());
    }));
  }

  /** The receivers come back for what was kept. @returns messages per second */
  async drain(): Promise<number> {
    const [since, waiting] = [performance.now(), this.#sent - this.#received];
    await this.#arrive();
    await this.#allReceived();
    return waiting / (performance.now() - since) * MS_PER_S;
  }

  /** Bytes of all messages that wait for their receivers. */
  get waitingBytes(): number {
    return (this.#sent - this.#received) * this.#size;
  }

  async #rate(work: () => Promise<void>): Promise<Rates> {
    const [cpu, since, first] = [this.#server.cpuSeconds(), performance.now(), this.#sent];
    await work();
    const count = this.#sent - first;
    return { perSecond: count / (performance.now() - since) * MS_PER_S, cpuPer1k: (this.#server.cpuSeconds() - cpu) / count * 1_000 };
  }

  async #arrive(): Promise<void> {
    const onMessage = (payload: string): void => {
      this.#received += 1;
      this.#latencies.push(performance.now() - Number.parseFloat(payload));
      if (this.#received === this.#sent) this.#onReceived();
    };
    this.#receivers = await Promise.all(Array.from({ length: PAIRS }, (_, pair) => this.#broker.receiver(this.#server.port, pair, onMessage)));
  }

  async #windows(use: (sender: Sender) => Promise<void>): Promise<void> {
    await Promise.all(this.#senders.flatMap((sender) => Array.from({ length: IN_FLIGHT }, () => use(sender))));
  }

  /** Each one another, as the relay keeps the same envelope once. */
  #payload(): string {
    this.#sent += 1;
    return `${performance.now()} ${this.#sent} `.padEnd(this.#size, 'x');
  }

  async #allReceived(): Promise<void> {
    if (this.#received === this.#sent) return;
    await new Promise<void>((resolve, reject) => {
      const patience = setTimeout(() => reject(new Error(`${this.#broker.name} delivered ${this.#received} of ${this.#sent} messages`)), PATIENCE_MS);
      this.#onReceived = () => {
        clearTimeout(patience);
        resolve();
      };
    });
  }
}
