// Which ports others must reach, as an operator tells a firewall, and which of them are not where they are looked for. It opens none.

import { PORTS_EACH } from './turn/commons.js';
import type { TurnThreads } from './turn/workers.js';

/** Ports and ranges of them, each once. */
export interface Openings {
  readonly tcp: readonly string[];
  readonly udp: readonly string[];
}

/** The servers of a relay. */
export interface Doors {
  /** TCP port of HTTP and WebSocket; null where it is for this machine alone. */
  readonly http: number | null;
  /** Null where STUN and TURN are for this machine alone. */
  readonly turn: Pick<TurnThreads, 'port' | 'otherPort' | 'offered' | 'relayPorts'> | null;
  /** Whether clients are pointed to our own TURN server. */
  readonly isOffered: boolean;
}

export function openingsOf({ http, turn, isOffered }: Doors): Openings {
  const offered = isOffered ? turn?.offered ?? [] : [];
  const stun = turn === null ? [] : [turn.port, turn.otherPort];
  return {
    tcp: listOf([http, ...offered.map(({ tcp }) => tcp)]),
    udp: [...listOf([...stun, ...offered.map(({ udp }) => udp)]), ...turn !== null && isOffered ? [turn.relayPorts.join('-')] : []],
  };
}

/** As in "TCP 443, 3478; UDP 3478, 3479, 49152-65535"; empty where nothing is to be opened. */
export function describe({ tcp, udp }: Openings): string {
  return [['TCP', tcp], ['UDP', udp]].filter(([, ports]) => ports!.length > 0).map(([name, ports]) => `${String(name)} ${[ports].flat().join(', ')}`).join('; ');
}

/** What is to be said of each port that another program has, besides the first one: a firewall looks for us there. */
export function displacedOf({ port, otherPort, offered }: Pick<TurnThreads, 'port' | 'otherPort' | 'offered'>): readonly string[] {
  const instead = (usual: number, what: string, real: number): string[] => (usual === real ? [] : [`UDP port ${usual} is taken, so ${what} answers at port ${real}.`]);
  return [
    ...instead(port + 1, 'the second ear of STUN', otherPort),
    ...offered.flatMap(({ udp, tcp }, index) => [
      ...instead(udp === port ? port : port + PORTS_EACH * (index + 1), 'a thread of TURN', udp),
      ...tcp === null ? [`TCP port ${udp} is taken, so there is no TURN over TCP at it.`] : [],
    ]),
  ];
}

function listOf(ports: readonly (number | null)[]): string[] {
  return [...new Set(ports.filter((port) => port !== null))].map(String);
}
