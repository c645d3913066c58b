// How a command gets its Client: from the process that has the home open if there is one, else by opening the home itself and serving
// it to the commands that come meanwhile. What the Client is asked is not known here.

import { existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SottoError } from '../../crypto/error.js';
import type { Client } from '../client.js';
import { defaultHome } from '../folder.js';
import { homeExists, keyIsSealed } from '../home.js';
import type { Mode } from '../platform.js';
import { withCause } from './away.js';
import { askPassphrase } from './passphrase.js';
import { connect, NotBegun, ownerIsGone, serve } from './rpc.js';
import { socketPath } from './socket.js';

/** How long an owner that has the lock and does not answer is waited for: it may be opening or closing the home. */
const OWNER_WAIT_MS = 10_000;
const OWNER_RETRY_MS = 50;

/** The options that every command has. */
export interface HomeOptions {
  readonly home?: string;
  readonly json?: boolean;
  readonly passphrase?: boolean;
}

export interface Opened {
  readonly client: Client;
  /** Lets go of the client and, if this process has it open, of the home. */
  readonly close: () => Promise<void>;
  /** Whether this process has the home open: nothing more is sent when it ends. */
  readonly owned: boolean;
  /** Resolves when the process that has the home open has gone; never if that is this one. */
  readonly gone: Promise<void>;
}

/** The folder of the identity. Throws `option-invalid` where --home cannot be one. */
export function homeOf(options: HomeOptions): string {
  const home = options.home ?? defaultHome();
  if (home === '') throw new SottoError('option-invalid', '--home takes the path of a folder, and this one is empty.');
  if (existsSync(home) && !statSync(home).isDirectory()) throw new SottoError('option-invalid', `${home} is a file; --home takes a folder.`);
  return home;
}

/**
 * Runs a command that asks and ends. A request that the owner did not begin, because it was closing, is made again.
 * @param mode of a home that has to be opened: 'offline' where the store alone can answer.
 */
export async function withClient<T>(options: HomeOptions, mode: 'offline' | 'brief', run: (opened: Opened) => Promise<T>): Promise<T> {
  for (;;) {
    const opened = await openClient(options, mode);
    try {
      return await run(opened);
    } catch (error) {
      if (!(error instanceof NotBegun)) throw await withCause(error, opened.client);
    } finally {
      await opened.close();
    }
  }
}

/**
 * Runs a command that stays. Each time the owner of the home goes away, the home is opened anew (by this process, if it is the first),
 * and `run` is called again.
 * @param run resolves with 'ended' when the command is over, or with 'gone' (or rejects with `owner-gone`) after `opened.gone`.
 */
export async function stayWithClient(options: HomeOptions, run: (opened: Opened) => Promise<'ended' | 'gone'>): Promise<void> {
  for (;;) {
    const opened = await openClient(options, 'live');
    try {
      if ((await run(opened)) === 'ended') return;
    } catch (error) {
      if (!ownerIsGone(error)) throw error;
    } finally {
      await opened.close();
    }
  }
}

async function openClient(options: HomeOptions, mode: Mode): Promise<Opened> {
  const home = homeOf(options);
  if (!homeExists(home)) throw new SottoError('home-missing', `There is no identity in ${home} yet; make one with "sotto init --name NAME --relay URL".`);
  const sealed = keyIsSealed(home);
  const path = socketPath(home);
  const deadline = Date.now() + OWNER_WAIT_MS;
  for (;;) {
    const connection = await connect(path);
    if (connection) return { ...connection, close: () => connection.client.close(), owned: false };
    try {
      const passphrase = sealed ? await askPassphrase() : null;
      return await openOwn(home, path, passphrase, mode);
    } catch (error) {
      if (!(error instanceof SottoError && error.code === 'home-in-use') || Date.now() > deadline) throw error;
      await sleep(OWNER_RETRY_MS);
    }
  }
}

async function openOwn(home: string, path: string, passphrase: string | null, mode: Mode): Promise<Opened> {
  // Loaded only here: a command that finds an owner starts without the store, the network and the cryptography.
  const { openHome } = await import('../node.js');
  const client = await openHome(home, { passphrase, mode });
  const owned = { client, owned: true, gone: new Promise<void>(() => {}) };
  // Others must not hand their messages to a client that will not send them; they wait the moment until it is closed.
  if (mode === 'offline') return { ...owned, close: () => client.close() };
  const served = await serve(client, path);
  const close = async () => {
    served.refuse();
    // A command that ends soon stays for those that asked it meanwhile: what they wait for has its own bounds.
    if (mode === 'brief') await served.idle();
    await client.close();
    await served.close();
  };
  return { ...owned, close };
}
