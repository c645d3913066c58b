// Anybody is killed at any moment, with SIGKILL: after restarts, each message is shown exactly once, in order, and its sender knows.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../../client/cli/rpc.js';
import { socketPath } from '../../client/cli/socket.js';
import { chanceOf } from '../support/chance.js';
import { Story, eventually } from '../support/command.js';
import type { Json, Running } from '../support/command.js';
import { freePort } from '../support/port.js';

/** Kills of the loop at random moments, between 20 and 400 ms apart. */
const KILLS = 60;
/** On a busy machine whoever is killed so often hardly begins: then there are more kills, until so many messages were promised between them. */
const PROMISED_MIN = 20;
const KILLS_MAX = 10 * KILLS;
/** Of each of the two, so that one look at the history (1,000 at most) sees them all. */
const PROMISED_MAX = 400;

let story: Story;
let port: number;

beforeEach(async () => {
  story = new Story();
  port = await freePort();
});
afterEach(() => story.end());

/** Somebody whose `sotto listen` is killed and started again, with everything that was ever shown. */
class Listener {
  readonly home: string;
  readonly lives: Running[] = [];

  constructor(home: string) {
    this.home = home;
    this.start();
  }

  start(): void {
    this.lives.push(story.start(['listen', '--json', '--home', this.home]));
  }

  async restart(): Promise<void> {
    await this.lives.at(-1)!.kill();
    this.start();
  }

  /** Texts as they were shown. A line marked `again` says itself that it may have been shown before. */
  shown(): string[] {
    const messages = this.lives.flatMap((life) => life.events()).filter(({ type }) => type === 'message');
    const certain = messages.filter((message, index) => message['again'] !== true || !messages.slice(0, index).some(({ id }) => id === message['id']));
    return certain.map(({ text }) => String(text));
  }

  /** Hands a text to the process that holds the home; true once it is durable there. */
  async send(contact: string, text: string): Promise<boolean> {
    const connection = await connect(socketPath(this.home));
    if (connection === null) return false;
    try {
      await connection.client.send(contact, text, { wait: 'queued' });
      return true;
    } catch {
      return false;
    } finally {
      await connection.client.close();
    }
  }
}

async function allDelivered(home: string, contact: string): Promise<Json[]> {
  const ask = async (): Promise<Json[]> => ((await story.json(['history', contact, '--limit', '1000', '--home', home]))['messages'] as Json[]).filter(({ direction }) => direction === 'out');
  return eventually(ask, (messages) => messages.every(({ state }) => state === 'delivered'), 120_000);
}

describe('a message', () => {
  it('survives its sender, killed right after `send` has returned', async () => {
    await story.relay(port);
    const { alice, bob } = await story.acquaint(port);
    const [atAlice, atBob] = [new Listener(alice), new Listener(bob)];
    await eventually(() => atAlice.send('Bob', 'last words'), Boolean);
    await atAlice.restart();
    await allDelivered(alice, 'Bob');
    // What is delivered is on the disk; a moment later it is on the screen.
    await atBob.lives[0]!.line((line) => line.includes('last words'));
    expect(atBob.shown()).toEqual(['last words']);
  });

  it('survives the relay, killed between `accepted` and the collection', async () => {
    const relay = await story.relay(port);
    const { alice, bob } = await story.acquaint(port);
    await story.json(['contacts', '--home', alice]);
    expect(await story.json(['send', 'Bob', 'kept on the disk', '--wait', 'accepted', '--home', alice])).toMatchObject({ state: 'accepted' });
    await relay.kill();
    await story.relay(port);
    const atBob = new Listener(bob);
    await atBob.lives[0]!.line((line) => line.includes('kept on the disk'));
    const atAlice = new Listener(alice);
    await allDelivered(alice, 'Bob');
    expect(atBob.shown()).toEqual(['kept on the disk']);
    expect(atAlice.shown()).toEqual([]);
  });

  it(`is shown exactly once and in order through ${KILLS} kills of sender, receiver and relay at random moments`, async () => {
    let relay = await story.relay(port);
    const { alice, bob } = await story.acquaint(port);
    const people = [new Listener(alice), new Listener(bob)] as const;
    const sent: [string[], string[]] = [[], []];
    const doubtful: [string[], string[]] = [[], []];
    const promised = (): number => sent[0].length + sent[1].length;
    const chance = chanceOf('kills of people and relay');
    const over = new AbortController();

    const write = async (who: 0 | 1): Promise<void> => {
      for (let number = 0; !over.signal.aborted && sent[who].length < PROMISED_MAX; number += 1) {
        const text = `${who === 0 ? 'a' : 'b'}${number}`;
        (await people[who].send(who === 0 ? 'Bob' : 'Alice', text) ? sent : doubtful)[who].push(text);
        await new Promise((resolve) => setTimeout(resolve, chance() * 60));
      }
    };
    const writing = [write(0), write(1)];
    let kills = 0;
    for (; kills < KILLS || (promised() <= PROMISED_MIN && kills < KILLS_MAX); kills += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20 + chance() * 380));
      const victim = Math.floor(chance() * 3);
      if (victim < 2) {
        await people[victim]!.restart();
      } else {
        await relay.kill();
        relay = await story.relay(port);
      }
    }
    over.abort();
    await Promise.all(writing);

    for (const who of [0, 1] as const) {
      const mine = await allDelivered(people[who].home, who === 0 ? 'Bob' : 'Alice');
      const texts = mine.map(({ text }) => String(text));
      // What `send` promised is there; what it could not answer for, because it was killed meanwhile, may be.
      expect(texts.filter((text) => !doubtful[who].includes(text))).toEqual(sent[who]);
      await eventually(async () => people[1 - who]!.shown(), (shown) => shown.length >= texts.length);
      expect(people[1 - who]!.shown()).toEqual(texts);
    }
    const again = people.flatMap(({ lives }) => lives.flatMap((life) => life.events())).filter((event) => event['again'] === true).length;
    process.stdout.write(`${kills} kills, ${promised()} messages promised, ${again} lines marked as shown again\n`);
    expect(promised()).toBeGreaterThan(PROMISED_MIN);
  }, 600_000);
});
