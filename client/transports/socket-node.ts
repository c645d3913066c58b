// The browser's WebSocket for Node: the `ws` package, bounded to what a relay may send. The only client file that names it.

import { WebSocket } from 'ws';
import { FRAME_MAX_BYTES } from '../../relay/wire/limits.js';

/** How long a relay that does not answer our closing frame may hold the socket, in ms. */
const CLOSE_TIMEOUT_MS = 1_000;

export class NodeSocket extends WebSocket {
  constructor(url: string) {
    // Envelopes do not compress, and a compressed length would tell of a frame's content.
    const options = { maxPayload: FRAME_MAX_BYTES, perMessageDeflate: false, closeTimeout: CLOSE_TIMEOUT_MS };
    super(url, options);
  }
}
