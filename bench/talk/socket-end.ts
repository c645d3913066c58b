// The program of one end of a bare `ws` line.

import { serveEnd } from './end.js';
import { openSocket } from './socket.js';

serveEnd(openSocket);
