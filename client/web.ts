// Picks the parts of a client for the browser: the store on OPFS in a Worker, the relay over the browser's WebSocket, peers over
// RTCPeerConnection. It joins them; it knows nothing of what they do, and nothing of a page.

import type { Client } from './client.js';
import type { Platform } from './platform.js';
import { random } from './random.js';
import { createHome, runClient } from './run.js';
import { openWebStore } from './stores/web.js';
import type { StoreKey } from './stores/store.js';
import { openWebPeer } from './transports/peer-web.js';
import { openRelayLink } from './transports/relay-link.js';

const openLink = openRelayLink({ WebSocket, now: () => performance.now(), random: Math.random });

/**
 * Opens the home of this name in the origin's private file system, and makes it first where there is none yet.
 * @param key 32 bytes that the page keeps; the store cannot be read without them.
 * @throws SottoError `home-in-use` if another tab has it open; `store-damaged`, `store-failed`, `name-invalid`.
 */
export async function openWebHome(home: string, key: StoreKey, owner: { readonly name: string; readonly relay: string }): Promise<Client> {
  const store = await openWebStore(home, key);
  const platform: Platform = { store, openLink, openPeer: (options) => openWebPeer(options), random, now: Date.now, nextTurn, watchNetwork };
  try {
    if (await store.load() === null) await createHome(platform, owner.name, owner.relay);
    return await runClient(platform, 'live');
  } catch (error) {
    await store.close();
    throw error;
  }
}

const { port1, port2 } = new MessageChannel();
const turns: (() => void)[] = [];
port1.addEventListener('message', () => turns.shift()?.());
port1.start();

// A message to ourselves waits behind all events that have come, and is not slowed down as timers are.
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    turns.push(resolve);
    port2.postMessage(null);
  });
}

function watchNetwork(onChange: () => void): () => void {
  addEventListener('online', onChange);
  return () => removeEventListener('online', onChange);
}
