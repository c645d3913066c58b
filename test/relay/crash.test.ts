// A relay process is killed at random moments under load and started again on the same folder. What it said Done to is there
// afterwards; what was acknowledged stays away.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { ready } from '../../crypto/sodium.js';
import { chanceOf } from '../support/chance.js';
import { Story, type Running } from '../support/command.js';
import { acknowledge, newMailbox, put, random, TestClient, type Mailbox } from './support.js';

/** More of them than a test run has patience for: SOTTO_KILLS=100. */
const ROUNDS = Number(process.env['SOTTO_KILLS'] ?? 20);
/** A round takes a start of the relay, a few times that on a busy machine. */
const ROUND_MAX_MS = 30_000;
const MAILBOXES = 3;
/** Requests that each sender has in flight. */
const IN_FLIGHT = 8;
const ENVELOPE_BYTES = 700;

const chance = chanceOf('kills of the relay');
const story = new Story();
beforeAll(ready);
afterAll(() => story.end());

/** What the clients know of one mailbox. */
class Ledger {
  readonly mailbox: Mailbox = newMailbox();
  /** Put with Done and never acknowledged: must be there. */
  readonly kept = new Set<string>();
  /** Put without an answer: may be there. */
  readonly unanswered = new Set<string>();
  /** Acknowledged without an answer: may be there, whatever became of the Put. */
  readonly leaving = new Set<string>();
  /** Acknowledged with Done: must not be there. */
  readonly gone = new Set<string>();

  async put(sender: TestClient): Promise<void> {
    const envelope = random(ENVELOPE_BYTES);
    const id = toHex(envelope);
    this.unanswered.add(id);
    if ((await sender.try(put(this.mailbox, envelope))) !== 'done') throw new Error('a Put was refused');
    this.unanswered.delete(id);
    // It may have been delivered and acknowledged before its sender heard of it.
    if (!this.leaving.has(id) && !this.gone.has(id)) this.kept.add(id);
  }

  async acknowledge(owner: TestClient, envelope: Uint8Array, sequence: bigint): Promise<void> {
    const id = toHex(envelope);
    this.kept.delete(id);
    this.leaving.add(id);
    if ((await owner.try(acknowledge(this.mailbox, sequence))) !== 'done') throw new Error('an Acknowledge was refused');
    this.leaving.delete(id);
    this.gone.add(id);
  }

  /** Judges what was found in the mailbox, which is empty now. */
  audit(found: ReadonlySet<string>): void {
    expect([...this.kept].filter((id) => !found.has(id))).toEqual([]);
    expect([...found].filter((id) => !this.kept.has(id) && !this.unanswered.has(id) && !this.leaving.has(id))).toEqual([]);
    for (const ids of [found, this.unanswered, this.leaving]) for (const id of ids) this.gone.add(id);
    for (const ids of [this.kept, this.unanswered, this.leaving]) ids.clear();
  }
}

async function startRelay(): Promise<{ process: Running; port: number }> {
  const process = story.start(['relay', '--port', '0', '--stun-port', '0', '--data', story.home('data'), '--json']);
  const { port } = JSON.parse(await process.line((line) => line.includes('listening'))) as { port: number };
  return { process, port };
}

/** The two connections of a mailbox, collecting it already. */
async function connect(port: number, { mailbox }: Ledger): Promise<{ owner: TestClient; sender: TestClient }> {
  const [owner, sender] = await Promise.all([TestClient.connect(port, 'collect'), TestClient.connect(port, 'deposit')]);
  expect(await owner.collect(mailbox)).toBe('done');
  return { owner, sender };
}

/** Puts and acknowledges without pause until the connection dies. */
async function load(ledger: Ledger, { owner, sender }: { owner: TestClient; sender: TestClient }): Promise<void> {
  const dead = owner.closed.then((): never => { throw new Error('closed'); });
  const untilDead = async (step: () => Promise<void>): Promise<void> => {
    try {
      for (;;) await step();
    } catch (error) {
      if ((error as Error).message !== 'closed') throw error;
    }
  };
  const collecting = async (): Promise<void> => {
    const [delivery] = await Promise.race([owner.deliveries(1), dead]);
    if (chance() < 0.7) await ledger.acknowledge(owner, delivery!.envelope, delivery!.sequence);
  };
  await Promise.all([untilDead(collecting), ...Array.from({ length: IN_FLIGHT }, () => untilDead(() => ledger.put(sender)))]);
  await dead.catch(() => {});
}

/** Compares what is in the mailbox with the ledger, and empties both. A last envelope marks the end. */
async function audit(port: number, ledger: Ledger): Promise<number> {
  const { owner, sender } = await connect(port, ledger);
  const last = random(9);
  expect(await sender.try(put(ledger.mailbox, last))).toBe('done');
  const found = new Set<string>();
  for (let isLast = false; !isLast; ) {
    const deliveries = await owner.deliveries(Math.max(1, owner.waiting));
    expect(await owner.try(acknowledge(ledger.mailbox, ...deliveries.map(({ sequence }) => sequence)))).toBe('done');
    for (const { envelope } of deliveries) {
      isLast = envelope.length === last.length;
      expect(found.has(toHex(envelope))).toBe(false);
      if (!isLast) found.add(toHex(envelope));
    }
  }
  ledger.audit(found);
  return found.size;
}

test(`${ROUNDS} kills at random moments lose nothing that was accepted and bring nothing back that was acknowledged`, async () => {
  const ledgers = Array.from({ length: MAILBOXES }, () => new Ledger());
  let found = 0;
  let relay = await startRelay();
  for (let round = 0; round < ROUNDS; round += 1) {
    const clients = await Promise.all(ledgers.map((ledger) => connect(relay.port, ledger)));
    const loads = ledgers.map((ledger, index) => load(ledger, clients[index]!));
    await new Promise((resolve) => setTimeout(resolve, chance() * 250));
    await relay.process.kill('SIGKILL');
    await Promise.all(loads);
    relay = await startRelay();
    for (const ledger of ledgers) found += await audit(relay.port, ledger);
  }
  // The load was real: envelopes were acknowledged, and others were waiting when the relay died.
  expect(found).toBeGreaterThan(ROUNDS);
  expect(ledgers.reduce((total, { gone }) => total + gone.size, 0)).toBeGreaterThan(found + ROUNDS);
}, ROUNDS * ROUND_MAX_MS);
