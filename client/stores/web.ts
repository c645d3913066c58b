// The store of a home in the browser, as the page sees it: a Worker does the work, this only passes calls on and errors back.

import { wrap } from 'comlink';
import { SottoError } from '../../crypto/error.js';
import type { Store, StoreKey } from './store.js';
import { carryErrors } from './web-error.js';
import type { WebWorker } from './web-worker.js';

/**
 * Opens the store of this name in the origin's private file system, or begins a new one.
 * @throws SottoError `home-in-use` if another tab has it open; `store-damaged` if the key is wrong or a file is damaged;
 * `store-failed` if the browser does not allow it.
 */
export async function openWebStore(name: string, key: StoreKey): Promise<Store> {
  carryErrors();
  const worker = new Worker(new URL('./web-worker.js', import.meta.url), { type: 'module' });
  const broken = new Promise<never>((_, reject) => {
    worker.addEventListener('error', () => reject(new SottoError('store-failed', 'The browser could not start the message store.')));
  });
  try {
    const store = await Promise.race([wrap<WebWorker>(worker).open(name, key), broken]);
    return {
      load: () => store.load(),
      create: (self) => store.create(self),
      commit: (changes) => store.commit(changes),
      messages: (query) => store.messages(query),
      message: (id) => store.message(id),
      search: (words, limit) => store.search(words, limit),
      close: () => store.close().finally(() => worker.terminate()),
    };
  } catch (error) {
    worker.terminate();
    throw error;
  }
}
