// What the page of the browser test loads: the client as any page would bundle it, and the few things that the test does with
// it. What goes in and comes out crosses from Node to the page and back, so it is plain JSON.

import type { Client, ClientEvent } from '../../client/client.js';
import { openWebHome } from '../../client/web.js';
import { toHex } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';

/** A file of the origin private file system. */
export interface OriginFile {
  readonly path: string;
  /** Lower-case hex of all bytes. */
  readonly content: string;
}

const page = {
  client: null as Client | null,

  /** Opens a home whose events go to the test. Resolves with the code of the error, or null. */
  async open(home: string, key: readonly number[], owner: { readonly name: string; readonly relay: string }): Promise<string | null> {
    try {
      page.client = await openWebHome(home, Uint8Array.from(key), owner);
      page.client.subscribe((event) => void tell(event));
      return null;
    } catch (error) {
      if (error instanceof SottoError) return error.code;
      throw error;
    }
  },

  /** Calls a method of the client. */
  async call(method: keyof Client, given: readonly unknown[]): Promise<unknown> {
    const client = page.client as unknown as Record<string, (...values: readonly unknown[]) => Promise<unknown>>;
    return client[method]?.(...given);
  },

  /** Every file that the origin has in its private file system. */
  async files(): Promise<OriginFile[]> {
    return filesIn(await navigator.storage.getDirectory(), '');
  },
};

async function filesIn(folder: FileSystemDirectoryHandle, path: string): Promise<OriginFile[]> {
  const files: OriginFile[] = [];
  for await (const [name, entry] of folder as unknown as AsyncIterable<[string, FileSystemFileHandle | FileSystemDirectoryHandle]>) {
    if (entry.kind === 'directory') files.push(...await filesIn(entry, `${path}/${name}`));
    else files.push({ path: `${path}/${name}`, content: toHex(new Uint8Array(await (await entry.getFile()).arrayBuffer())) });
  }
  return files;
}

declare global {
  var sotto: typeof page;
  /** Given to the page by the test. */
  function tell(event: ClientEvent): Promise<void>;
}

globalThis.sotto = page;
