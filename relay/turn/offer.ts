// What a connected client is told of TURN: where a server is, and a credential for it. It may be ours, or one that the operator
// trusts with the same kind of secret (coturn’s use-auth-secret). Pure: the clock of that server and chance are arguments.

import { mintCredential, type Credential, type Secrets } from './credential.js';
import type { TurnPorts } from './workers.js';

export interface Offer extends Credential {
  /** In the form of RFC 7065; none if there is no server. */
  readonly urls: readonly string[];
}

/** A TURN server that an operator points clients to. */
export interface Offering {
  readonly secrets: Secrets;
  /** Where it is, for a client that calls this relay by a host name. */
  readonly urlsFor: (host: string) => readonly string[];
  /** ms since 1970, by the clock of that server. */
  readonly now: () => number;
}

/** Ports of our own server; null for what it does not have. */
export interface OwnPorts extends TurnPorts {
  readonly tls: number | null;
}

/** The URLs of our own server, at the name by which a client calls us (from its Host header); none if that is no host name. */
export function ownUrls({ udp, tcp, tls }: OwnPorts, host: string): string[] {
  const [name] = /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?=$|:\d+$)/i.exec(host) ?? [];
  if (name === undefined) return [];
  const urls = [`turn:${name}:${udp}?transport=udp`];
  if (tcp !== null) urls.push(`turn:${name}:${tcp}?transport=tcp`);
  if (tls !== null) urls.push(`turns:${name}:${tls}?transport=tcp`);
  return urls;
}

/** @param random CREDENTIAL_RANDOM_BYTES of it. */
export function makeOffer({ secrets, urlsFor, now }: Offering, host: string, random: Uint8Array): Offer {
  return { urls: urlsFor(host), ...mintCredential(secrets, now(), random) };
}
