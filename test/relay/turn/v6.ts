// The program of a client in a network of IPv6 alone: `ADDRESS STACK` joins two ends of a stack through the server there (nat.ts), and prints the
// types of their candidates.

import { randomBytes } from 'node:crypto';
import nodeDataChannel from 'node-datachannel';
import { mintCredential, rotatingSecrets } from '../../../relay/turn/credential.js';
import { relayInBrowser } from './browser.js';
import { relayPair } from './pair.js';

const PORT = 3_478;
const [, , hostname = '', stack] = process.argv;
const { username, password } = mintCredential(rotatingSecrets(new Uint8Array(32)), Date.now(), randomBytes(9));
const access = { hostname, port: PORT, username, password };
const types = stack === 'chromium'
  ? await relayInBrowser({ urls: `turn:[${hostname}]:${PORT}?transport=udp`, username, credential: password })
  : (await relayPair(access, access)).types;
process.stdout.write(JSON.stringify(types.flat()));
nodeDataChannel.cleanup();
