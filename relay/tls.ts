// How bytes come in: TLS with the operator's files, which are read again when they change, or plain where that is no risk. It
// never knows what the bytes say.

import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { BlockList, isIPv6 } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { SottoError } from '../crypto/error.js';

/** Files in PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** Where plain HTTP is allowed: on this machine alone, behind a proxy that ends TLS, or at private addresses. */
export type Plain = 'loopback' | 'proxy' | 'lan';

/** How often the files are looked at: whoever renews a certificate does so weeks before it ends. */
const LOOK_INTERVAL_MS = 5_000;

/** A request over HTTP must have arrived whole within this; nobody needs a tenth of it. */
const LIMITS: ServerOptions = { headersTimeout: 10_000, requestTimeout: 10_000 };

/** What an address is asked for. */
const FAMILY = { 4: 'ipv4', 6: 'ipv6' } as const;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

const PRIVATE = new BlockList();
for (const [network, prefix] of [['10.0.0.0', 8], ['172.16.0.0', 12], ['192.168.0.0', 16], ['169.254.0.0', 16], ['127.0.0.0', 8]] as const) PRIVATE.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [['fc00::', 7], ['fe80::', 10]] as const) PRIVATE.addSubnet(network, prefix, 'ipv6');
PRIVATE.addAddress('::1', 'ipv6');

export interface Listener {
  readonly server: Server;
  /** When the certificate ends, ms since 1970; null without one. */
  readonly certificateEndsAt: () => number | null;
  /** Stops looking at the files. */
  readonly stop: () => void;
}

/**
 * A server that does not listen yet.
 * @param onReload told when the files have changed, with what is wrong with them or null; while something is, the old ones stay.
 * @throws SottoError `option-invalid` if the files are no certificate and key, or a plain address is not allowed to be so.
 */
export function openListener(address: string, tls: TlsFiles | null, plain: Plain, onReload: (problem: unknown) => void, answer: RequestListener): Listener {
  if (tls === null) {
    ensurePlain(address, plain);
    return { server: createServer(LIMITS, answer), certificateEndsAt: () => null, stop: () => {} };
  }
  let context = firstContext(tls);
  let seen = stampOf(tls);
  const server = createSecureServer({ ...LIMITS, minVersion: 'TLSv1.2', ...context }, answer);
  const timer = setInterval(() => {
    const stamp = stampOf(tls);
    if (stamp === seen) return;
    seen = stamp;
    try {
      const next = readContext(tls);
      server.setSecureContext({ minVersion: 'TLSv1.2', ...next });
      context = next;
      onReload(null);
    } catch (error) {
      onReload(error);
    }
  }, LOOK_INTERVAL_MS).unref();
  return { server, certificateEndsAt: () => Date.parse(new X509Certificate(context.cert as Buffer).validTo), stop: () => clearInterval(timer) };
}

/** Whether an address can be reached from this machine or its local network alone. */
export function isPrivate(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return PRIVATE.check(mapped ?? address, FAMILY[isIPv6(mapped ?? address) ? 6 : 4]);
}

function ensurePlain(address: string, plain: Plain): void {
  if (plain !== 'loopback' || LOOPBACK.check(address, FAMILY[isIPv6(address) ? 6 : 4])) return;
  throw new SottoError('option-invalid', `Without TLS a relay listens on this machine alone, and ${address} is reached from others: give --tls-cert and --tls-key, or --behind-proxy, or --lan.`);
}

function firstContext(tls: TlsFiles): SecureContextOptions {
  try {
    const context = readContext(tls);
    createSecureServer(context).close();
    return context;
  } catch (error) {
    throw new SottoError('option-invalid', `The files ${tls.cert} and ${tls.key} are no certificate with its key in PEM; look at both.`, error);
  }
}

function readContext({ cert, key }: TlsFiles): SecureContextOptions {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

/** Changes when a file does, also where a link to it does. */
function stampOf({ cert, key }: TlsFiles): string {
  return [cert, key].map((file) => {
    const stat = statSync(file, { throwIfNoEntry: false });
    return `${stat?.ino} ${stat?.mtimeMs} ${stat?.size}`;
  }).join();
}
