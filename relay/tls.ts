// Where bytes may come in plain, and the operator's certificate where they may not: its files are read again when they change. It
// never knows what the bytes say.

import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { BlockList, isIPv6 } from 'node:net';
import { createSecureContext, type Server } from 'node:tls';
import { SottoError } from '../crypto/error.js';
import type { Log } from './log.js';
import type { Tls } from './turn/door.js';

/** Files in PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Where plain HTTP is allowed: on this machine alone, behind a proxy that ends TLS, or at private addresses. */
export type Plain = 'loopback' | 'proxy' | 'lan';

/** How often the files are looked at: whoever renews a certificate does so weeks before it ends. */
const LOOK_INTERVAL_MS = 5_000;

/** What an address is asked for. */
const FAMILY = { 4: 'ipv4', 6: 'ipv6' } as const;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

const PRIVATE = new BlockList();
for (const [network, prefix] of [['10.0.0.0', 8], ['172.16.0.0', 12], ['192.168.0.0', 16], ['169.254.0.0', 16], ['127.0.0.0', 8]] as const) PRIVATE.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [['fc00::', 7], ['fe80::', 10]] as const) PRIVATE.addSubnet(network, prefix, 'ipv6');
PRIVATE.addAddress('::1', 'ipv6');

/** A certificate in use. */
export interface Certificate {
  /** ms since 1970. */
  endsAt(): number;
  /** For which it is. */
  readonly names: readonly string[];
  /** Looks at the files no more. */
  stop(): void;
}

/** @throws SottoError `option-invalid` if there is no certificate with its key. */
export function readTls(source: Tls | TlsFiles): Tls {
  if (!('certFile' in source)) return source;
  const { certFile, keyFile } = source;
  try {
    const tls = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
    createSecureContext(tls);
    return tls;
  } catch (error) {
    throw new SottoError('option-invalid', `The files ${certFile} and ${keyFile} are no certificate with its key in PEM, or cannot be read; look at both.`, error);
  }
}

/** Gives the server what the files hold whenever they change; while something is wrong with them the old ones stay. */
export function watchTls(source: Tls | TlsFiles, server: Server, log: Log): Certificate {
  let { cert } = readTls(source);
  let seen = stampOf(source);
  const timer = setInterval(() => {
    const stamp = stampOf(source);
    if (stamp === seen) return;
    seen = stamp;
    try {
      const next = readTls(source);
      server.setSecureContext(next);
      ({ cert } = next);
      log.info({}, 'the certificate was read again');
    } catch {
      log.error({}, 'the new certificate cannot be read, the old one stays');
    }
  }, LOOK_INTERVAL_MS).unref();
  return { endsAt: () => Date.parse(new X509Certificate(cert).validTo), names: namesIn(cert), stop: () => clearInterval(timer) };
}

/** The DNS names of a certificate; none that stands for many. */
function namesIn(cert: string): string[] {
  return [...new X509Certificate(cert).subjectAltName?.matchAll(/DNS:([^,*\s]+)(?=,|$)/g) ?? []].map(([, name]) => name!);
}

/** Whether an address can be reached from this machine or its local network alone. */
export function isPrivate(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return PRIVATE.check(mapped ?? address, FAMILY[isIPv6(mapped ?? address) ? 6 : 4]);
}

/** Whether an address can be reached from this machine alone. */
export function isLoopback(address: string): boolean {
  return LOOPBACK.check(address, FAMILY[isIPv6(address) ? 6 : 4]);
}

/** @throws SottoError `option-invalid` if a plain address may not be so. */
export function ensurePlain(address: string, plain: Plain): void {
  if (plain !== 'loopback' || isLoopback(address)) return;
  throw new SottoError('option-invalid', `Without TLS a relay listens on this machine alone, and ${address} is reached from others: give --tls-cert and --tls-key, or --behind-proxy, or --lan.`);
}

/** Changes when a file does, also where a link to it does, or the way there is closed. */
function stampOf(source: Tls | TlsFiles): string {
  const files = 'certFile' in source ? [source.certFile, source.keyFile] : [];
  return files.map((file) => {
    try {
      const { ino, mtimeMs, size } = statSync(file);
      return `${ino} ${mtimeMs} ${size}`;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  }).join();
}
