// Finds out what this network lets through, by asking the relay in three ways: HTTP, the deposit connection, and STUN over UDP. It
// says what was seen and what follows from it, and no more; how it is printed is not its business.

import { type Address, askBindings, type Bindings } from './binding.js';
import { isThisMachine } from './core/sdp.js';
import { askHealth, type Health, plainCause } from './health.js';
import { openNodeLink } from './node.js';
import type { LinkState } from './transports/link.js';

/** How long each question to the relay may take. */
const ANSWER_MS = 10_000;

/** Who stands in the way: nobody, the relay itself, or the network before it. */
export type Obstacle = null | 'relay' | 'network';

export interface Finding {
  readonly ok: boolean;
  readonly text: string;
}

export interface Diagnosis {
  readonly relay: string;
  readonly obstacle: Obstacle;
  /** Our address as the relay sees it, over UDP. */
  readonly seen: Address | null;
  /** Whether a network address translator stands between; null if it cannot be told. */
  readonly translated: boolean | null;
  /** Whether the translator keeps our port; null if there is none or it cannot be told. */
  readonly portKept: boolean | null;
  /** Whether it uses one outer port for all destinations (RFC 4787 §4.1), as far as two ports of one relay tell; null if they do not. */
  readonly mapping: 'endpoint-independent' | 'dependent' | null;
  /** Round trip over the WebSocket. */
  readonly rttMs: number | null;
  /** In the order of asking, for a person to read. */
  readonly findings: readonly Finding[];
}

interface Step {
  readonly obstacle: Obstacle;
  readonly finding: Finding;
}

/** Examines the way to a relay (its origin, as relayOrigin() gives it). Rejects never: what fails is a finding. */
export async function diagnose(relay: string): Promise<Diagnosis> {
  const health = await askHealth(relay, ANSWER_MS);
  const { state, ...connection } = await askConnection(relay, health);
  const host = new URL(relay).hostname.replace(/^\[|\]$/g, '');
  const bindings = state?.online ? await askPorts(host, state) : null;
  const steps = [healthStep(health), connection, ...(state?.online ? udpSteps(host, state.stunPort, bindings) : [])];
  const seen = bindings?.seen.find((address) => address !== null) ?? null;
  const translated = !bindings || !seen || isThisMachine(host) ? null : seen.address !== bindings.local.address;
  return {
    relay,
    obstacle: steps.find(({ obstacle }) => obstacle !== null)?.obstacle ?? null,
    seen,
    translated,
    portKept: translated ? seen?.port === bindings?.local.port : null,
    mapping: translated ? mappingOf(bindings!.seen) : null,
    rttMs: state?.online ? state.rttMs : null,
    findings: steps.map(({ finding }) => finding),
  };
}

/** Twice at one port, which shows whether the translation holds still, and once at the other, which shows whether it is the same there. */
async function askPorts(host: string, { stunPort, stunOtherPort }: LinkState & { readonly online: true }): Promise<Bindings | null> {
  const ports = [stunPort, stunPort, stunOtherPort].filter((port) => port > 0);
  return ports.length === 0 ? null : await askBindings(host, ports).catch(() => null);
}

function mappingOf([first, again, other]: Bindings['seen']): Diagnosis['mapping'] {
  const known = [first, again, other].flatMap((address) => address ?? []);
  if (known.some(({ address, port }) => address !== known[0]!.address || port !== known[0]!.port)) return 'dependent';
  return other && known.length > 1 ? 'endpoint-independent' : null;
}

function healthStep({ state, text }: Health): Step {
  return state === 'well' ? good(text) : bad(state === 'silent' ? 'network' : 'relay', text);
}

async function askConnection(relay: string, health: Health): Promise<Step & { readonly state: LinkState | null }> {
  let close: (() => void) | undefined;
  const state = await new Promise<LinkState | null>((resolve) => {
    const link = openNodeLink({ relay, role: 'deposit', onState: resolve, onDelivery: () => {} });
    const timer = setTimeout(resolve, ANSWER_MS, null);
    close = () => {
      clearTimeout(timer);
      link.close();
    };
  });
  close?.();
  if (state?.online) return { state, ...good(`Messages get through: the relay answers on a WebSocket in ${Math.round(state.rttMs)} ms.`) };
  const proxy = health.state === 'well' ? ' A proxy may stand between that lets no WebSocket through.' : '';
  return { state, ...bad('relay', `No messages get through: ${plainCause(state?.reason ?? 'does not answer')}.${proxy}`) };
}

function udpSteps(host: string, stunPort: number, bindings: Bindings | null): Step[] {
  if (stunPort === 0) return [good('The relay offers no STUN, so nothing can be told about UDP or address translation.')];
  const seen = bindings?.seen.find((address) => address !== null);
  if (!bindings || !seen) {
    return [bad('network', `UDP does not get through to port ${stunPort} of the relay. Messages go by the relay; a direct path is unlikely from this network, though one inside it may open.`)];
  }
  const steps = [good(`UDP gets through; the relay sees this computer as ${shown(seen)}.`)];
  if (bindings.seen.includes(null)) steps.push(good('Not every UDP question got an answer: this network loses packets, or lets none through to one of the two ports.'));
  return [...steps, good(translation(host, bindings, seen))];
}

function translation(host: string, { local, seen: all }: Bindings, seen: Address): string {
  if (isThisMachine(host)) return 'The relay is on this computer, so nothing can be told about address translation.';
  if (seen.address === local.address) return 'This is the address of this computer itself: no address translation before the relay. A firewall may still stand there.';
  const port = seen.port === local.port ? 'and keeps the port' : `and changes the port ${local.port} to ${seen.port}`;
  switch (mappingOf(all)) {
    case 'dependent': return `The network translates our address ${shown(local)}, and differently for each destination (dependent mapping): a direct path opens only to people in easier networks.`;
    case 'endpoint-independent': return `The network translates our address ${local.address} ${port}, and alike towards both ports of the relay (endpoint-independent mapping): direct paths are likely.`;
    case null: return `The network translates our address ${local.address} ${port}. Whether it does the same towards everybody, which direct paths need, could not be told.`;
  }
}

function shown({ address, port }: Address): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function good(text: string): Step {
  return { obstacle: null, finding: { ok: true, text } };
}

function bad(obstacle: 'relay' | 'network', text: string): Step {
  return { obstacle, finding: { ok: false, text } };
}
