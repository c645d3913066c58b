// Types for two modules that come without: a VFS of wa-sqlite, and the address of the compiled engine as Vite gives it.

declare module '@journeyapps/wa-sqlite/src/examples/AccessHandlePoolVFS.js' {
  import { Base } from '@journeyapps/wa-sqlite/src/VFS.js';

  /** Files of SQLite in one folder of the origin private file system; its name is also the VFS's. Worker only. */
  export class AccessHandlePoolVFS extends Base {
    /** Rejects with a NoModificationAllowedError while another context has the folder's files open. */
    static create(name: string, module: object): Promise<AccessHandlePoolVFS>;
  }
}

declare module '*.wasm?url' {
  const url: string;
  export default url;
}
