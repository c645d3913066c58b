// Which ports others must reach, as an operator tells a firewall, and which of them are not where they are looked for. It opens none.

import { PORTS_EACH } from './turn/commons.js';
import type { TurnThreads } from './turn/workers.js';

/** Ports and ranges of them, each once. */
export interface Openings {
  readonly tcp: readonly string[];
  readonly udp: readonly string[];
}

/** Ports of STUN and TURN; none are offered where clients are pointed to another TURN server. */
export type TurnPlaces = Pick<TurnThreads, 'port' | 'otherPort' | 'offered' | 'relayPorts'>;

/** @param http TCP port of HTTP and WebSocket. Null stands for what only this machine reaches. */
export function openingsOf(http: number | null, turn: TurnPlaces | null): Openings {
  const { offered, relayPorts } = turn ?? { offered: [], relayPorts: [] };
  return {
    tcp: listOf([http, ...offered.map(({ tcp }) => tcp)]),
    udp: [...listOf([turn?.port, turn?.otherPort, ...offered.map(({ udp }) => udp)]), ...offered.length > 0 ? [relayPorts.join('-')] : []],
  };
}

/** As in "TCP 443, 3478; UDP 3478, 3479, 49152-65535"; empty where nothing is to be opened. */
export function describe({ tcp, udp }: Openings): string {
  const said = (name: string, ports: readonly string[]): string[] => (ports.length === 0 ? [] : [`${name} ${ports.join(', ')}`]);
  return [...said('TCP', tcp), ...said('UDP', udp)].join('; ');
}

/** What is to be said of each port that another program has, besides the first one: a firewall looks for us there. */
export function displacedOf({ port, otherPort, offered }: TurnPlaces): readonly string[] {
  const instead = (usual: number, what: string, real: number): string[] => (usual === real ? [] : [`UDP port ${usual} is taken, so ${what} answers at port ${real}.`]);
  return [
    ...instead(port + 1, 'the second ear of STUN', otherPort),
    ...offered.flatMap(({ udp, tcp }, index) => [
      ...instead(udp === port ? port : port + PORTS_EACH * (index + 1), 'a thread of TURN', udp),
      ...tcp === null ? [`TCP port ${udp} is taken, so there is no TURN over TCP at it.`] : [],
    ]),
  ];
}

function listOf(ports: readonly (number | null | undefined)[]): string[] {
  return [...new Set(ports.filter((port) => typeof port === 'number'))].map(String);
}
