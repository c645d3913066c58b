// What a client needs of the platform that it runs on (node.ts, web.ts), and how long it stays. Interfaces only.

import type { Random } from '../crypto/random.js';
import type { BackupRecord } from './backup/backup.js';
import type { Store } from './stores/store.js';
import type { OpenLink } from './transports/link.js';
import type { OpenPeer } from './transports/peer.js';

/** The parts that a platform gives. */
export interface Platform {
  readonly store: Store;
  readonly openLink: OpenLink;
  readonly openPeer: OpenPeer;
  readonly random: Random;
  /** ms since 1970. */
  readonly now: () => number;
  /** Resolves when whatever else is ready to happen in this process has happened. */
  readonly nextTurn: () => Promise<void>;
  /** Calls back when the machine's addresses have changed; returns how to stop. */
  readonly watchNetwork?: (onChange: () => void) => () => void;
  /** Writes a backup into a file, where there are files. */
  readonly writeArchive?: (file: string, passphrase: string | null, records: AsyncIterable<BackupRecord>) => Promise<{ readonly words: string | null }>;
}

/** How long a client stays: `offline` never connects, `brief` uses the relay only, `live` opens direct paths too. */
export type Mode = 'offline' | 'brief' | 'live';
