// Clients with the real parts in one process: store in a file, links to a real relay, peers of node-datachannel. A test can stand
// at the peer connection and watch or cut it.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { join } from 'node:path';
import type { Client, ClientEvent } from '../../client/client.js';
import { openNodeLink } from '../../client/node.js';
import { createHome, runClient } from '../../client/run.js';
import type { Platform } from '../../client/platform.js';
import { openNodeStore } from '../../client/stores/node.js';
import { openNodePeer } from '../../client/transports/peer-node.js';
import type { OpenPeer, Peer } from '../../client/transports/peer.js';
import { ready } from '../../crypto/sodium.js';
import { startRelay } from '../../relay/run.js';
import type { RunningRelay } from '../../relay/run.js';

/** Generous bound on anything that is waited for. */
const PATIENCE_MS = 60_000;

/** One person's client, with what happened at it. */
export interface Person {
  readonly client: Client;
  readonly events: ClientEvent[];
  /** Peer connections, oldest first. */
  readonly peers: Peer[];
  /** Every frame that was handed to a channel. */
  readonly frames: Uint8Array[];
  /** While true, frames are taken and go nowhere, as in a network that has died. */
  isDeaf: boolean;
  shown(): string[];
}

export class Neighbourhood {
  readonly folder = mkdtempSync(join(tmpdir(), 'sotto-people-'));
  relay!: RunningRelay;
  readonly #clients: Client[] = [];

  async start(): Promise<void> {
    await ready();
    this.relay = await startRelay({ host: '127.0.0.1', port: 0, stunPort: 0, data: join(this.folder, 'relay') });
  }

  get url(): string {
    return `http://127.0.0.1:${this.relay.port}`;
  }

  async person(name: string, relay = this.url): Promise<Person> {
    const store = await openNodeStore(join(this.folder, `${name}.db`), new Uint8Array(randomBytes(32)));
    const events: ClientEvent[] = [];
    const shown = (): string[] => events.filter((event) => event.type === 'message').map(({ message }) => message.text);
    const watched = { events, peers: [] as Peer[], frames: [] as Uint8Array[], isDeaf: false, shown };
    const openPeer: OpenPeer = (options) => {
      const peer = openNodePeer({ ...options, onFrame: (frame) => void (watched.isDeaf || options.onFrame(frame)) });
      const send = peer.send.bind(peer);
      peer.send = (frame) => {
        watched.frames.push(frame);
        return watched.isDeaf || send(frame);
      };
      watched.peers.push(peer);
      return peer;
    };
    const platform: Platform = { store, openLink: openNodeLink, openPeer, random: (length) => new Uint8Array(randomBytes(length)), now: Date.now, nextTurn };
    await createHome(platform, name, relay);
    const client = await runClient(platform, 'live');
    client.subscribe((event) => events.push(event));
    this.#clients.push(client);
    return Object.assign(watched, { client });
  }

  async end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.relay.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits until something holds. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!await holds()) {
    if (Date.now() > end) throw new Error(`it did not come true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until two contacts have a direct path. */
export async function untilDirect(...people: readonly Person[]): Promise<void> {
  for (const { client } of people) await until(async () => (await client.status()).contacts[0]?.path === 'direct', 'a direct path');
}
