// The links to relays and the peer connections of one client: does what the core asks of the network, and hands back as inputs what
// came of it. It decides nothing and keeps nothing that must outlive the process.

import { fromHex } from '../crypto/bytes.js';
import { SottoError } from '../crypto/error.js';
import { hostOf } from '../crypto/origin.js';
import type { ErrorCode } from '../crypto/error.js';
import type { Input, LinkRole } from './core/input.js';
import type { Output } from './core/output.js';
import type { OwnMailbox } from './core/records.js';
import { mayForward } from './core/place.js';
import { isThisMachine } from './core/sdp.js';
import { Refusal, type Link, type LinkState, type OpenLink } from './transports/link.js';
import type { OpenPeer, Peer, PeerOptions, TurnServer } from './transports/peer.js';
import { parseTurnUrl } from './transports/turn-url.js';
import type { Waiting } from './waiting.js';

/** How long a request of the person's waits for a relay that is being connected. */
const ONLINE_PATIENCE_MS = 15_000;
/** Whoever uses a relay on this machine is on this machine too. */
const LOOPBACK = '127.0.0.1';

type NetworkOutputType = 'link' | 'unlink' | 'collect' | 'acknowledge' | 'close-mailbox' | 'leave-mailbox' | 'publish' | 'take' | 'put' | 'dial' | 'peer-remote' | 'peer-candidates' | 'peer-send' | 'hang-up';
/** What the core asks of the network. */
export type NetworkOutput = Extract<Output, { type: NetworkOutputType }>;

export interface NetworkParts {
  readonly openLink: OpenLink;
  readonly openPeer: OpenPeer;
  /** Where inputs go. */
  readonly onInput: (input: Input) => void;
  /** A link to this relay has come or gone, or fails in another way. */
  readonly onRelay: (relay: string) => void;
  readonly waiting: Waiting;
  /** ms since 1970. */
  readonly now: () => number;
}

export class Network {
  readonly #parts: NetworkParts;
  readonly #links = new Map<string, Link>();
  readonly #states = new Map<string, LinkState>();
  /** Since when each link is online. */
  readonly #onlineSince = new Map<string, number>();
  readonly #peers = new Map<string, Peer>();
  /** Peer connections that wait for a TURN server, with what is to be done when they are there. */
  readonly #dialing = new Map<string, NetworkOutput[]>();
  readonly #turns = new Map<string, { readonly server: TurnServer | null; readonly until: number }>();
  /** By relay, by mailbox that is collected: envelopes that waited there and have not come yet. */
  readonly #backlogs = new Map<string, Map<string, number>>();
  /** Sequences to acknowledge, until the end of this batch of outputs. */
  readonly #acknowledged = new Map<string, { readonly relay: string; readonly sequences: number[] }>();

  constructor(parts: NetworkParts) {
    this.#parts = parts;
  }

  /** Does what the core asks, in its order. */
  perform(outputs: readonly NetworkOutput[]): void {
    for (const output of outputs) this.#perform(output);
    for (const [mailbox, { relay, sequences }] of this.#acknowledged) {
      // Unacknowledged envelopes come again and are known then.
      this.#link(relay, 'collect').acknowledge(mailbox, sequences).catch(() => {});
    }
    this.#acknowledged.clear();
  }

  /** What a link last said of itself; undefined before its first word. */
  state(relay: string, role: LinkRole): LinkState | undefined {
    return this.#states.get(keyOf(relay, role));
  }

  /** Whether there is a link to this relay in this role. */
  uses(relay: string, role: LinkRole): boolean {
    return this.#links.has(keyOf(relay, role));
  }

  /** Since when a link is online; null while it is not. */
  onlineSince(relay: string, role: LinkRole): number | null {
    return this.#onlineSince.get(keyOf(relay, role)) ?? null;
  }

  peer(call: string | null): Peer | undefined {
    return call === null ? undefined : this.#peers.get(call);
  }

  /** Whether everything that waited in these mailboxes has come, as far as their relays answer. */
  isCaughtUp(mailboxes: Iterable<OwnMailbox>): boolean {
    for (const { relay, mailbox } of mailboxes) {
      const waits = this.#backlogs.get(relay)?.get(mailbox) ?? 1;
      if (waits > 0 && this.state(relay, 'collect')?.online !== false) return false;
    }
    return true;
  }

  /** Somebody waits: what is not connected is tried now. Resolves when each of these attempts has come to its end. */
  async retry(): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link.retry()));
  }

  /** The machine's network has changed: connect anew at once. */
  hurry(): void {
    for (const link of this.#links.values()) link.hurry();
  }

  close(): void {
    for (const peer of this.#peers.values()) peer.close();
    for (const link of this.#links.values()) link.close();
    this.#peers.clear();
    this.#dialing.clear();
    this.#links.clear();
    this.#states.clear();
    this.#onlineSince.clear();
  }

  #perform(output: NetworkOutput): void {
    const waiting = 'call' in output ? this.#dialing.get(output.call) : undefined;
    if (waiting !== undefined && output.type !== 'hang-up') return void waiting.push(output);
    switch (output.type) {
      case 'link': return void this.#link(output.relay, output.role);
      case 'unlink': return this.#unlink(output.relay, output.role);
      case 'collect': return this.#collect(output.mailbox);
      case 'acknowledge': return this.#acknowledge(output);
      case 'close-mailbox': return this.#closeMailbox(output.mailbox);
      // A connection delivers what it was once asked for; only a new one does not.
      case 'leave-mailbox': return this.#links.get(keyOf(output.relay, 'collect'))?.hurry('it is connected anew, without a mailbox that is not collected any more');
      case 'publish': return this.#publish(output);
      case 'take': return this.#take(output);
      case 'put': return this.#put(output);
      case 'dial': return void this.#dial(output);
      case 'peer-remote': return this.#peers.get(output.call)?.setRemote(output.description, output.dtls);
      case 'peer-candidates': return this.#peers.get(output.call)?.addCandidates(output.candidates);
      case 'peer-send': return void this.#peers.get(output.call)?.send(output.frame);
      case 'hang-up': return this.#hangUp(output.call);
    }
  }

  // Relays.

  #link(relay: string, role: LinkRole): Link {
    const key = keyOf(relay, role);
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const link = this.#parts.openLink({
      relay,
      role,
      onState: (state) => this.#onState(relay, role, state),
      onDelivery: (delivery) => {
        this.#expect(relay, delivery.mailbox, -1);
        this.#parts.onInput({ type: 'delivery', ...delivery });
      },
    });
    this.#links.set(key, link);
    return link;
  }

  #unlink(relay: string, role: LinkRole): void {
    const key = keyOf(relay, role);
    this.#links.get(key)?.close();
    this.#links.delete(key);
    this.#states.delete(key);
    this.#onlineSince.delete(key);
    this.#parts.onInput({ type: 'link', relay, role, online: false, rttMs: 0 });
  }

  #onState(relay: string, role: LinkRole, state: LinkState): void {
    const [key, before] = [keyOf(relay, role), this.state(relay, role)];
    this.#states.set(key, state);
    if (!state.online) this.#onlineSince.delete(key);
    else if (!before?.online) {
      this.#onlineSince.set(key, this.#parts.now());
      // Where one connection is taken, the other is as well.
      for (const other of ['collect', 'deposit'] as const) void this.#links.get(keyOf(relay, other))?.retry();
    }
    if (role === 'collect' && !state.online) this.#backlogs.delete(relay);
    this.#parts.onInput({ type: 'link', relay, role, online: state.online, rttMs: state.online ? state.rttMs : 0 });
    if (!state.online || !before?.online) this.#parts.onRelay(relay);
    this.#parts.waiting.changed();
  }

  #expect(relay: string, mailbox: string, envelopes: number): void {
    const backlog = this.#backlogs.get(relay) ?? new Map<string, number>();
    this.#backlogs.set(relay, backlog.set(mailbox, (backlog.get(mailbox) ?? 0) + envelopes));
  }

  async #online(relay: string, role: LinkRole): Promise<Link> {
    const link = this.#link(relay, role);
    if (await this.#parts.waiting.until(() => this.state(relay, role)?.online === true, ONLINE_PATIENCE_MS)) return link;
    throw new SottoError('relay-unreachable');
  }

  #collect(mailbox: OwnMailbox): void {
    const done = this.#link(mailbox.relay, 'collect').collect(mailbox).then((waiting) => this.#expect(mailbox.relay, mailbox.mailbox, waiting));
    this.#report(done, (error) => ({ type: 'collected', mailbox: mailbox.mailbox, error }));
  }

  #acknowledge({ relay, mailbox, sequence }: Extract<NetworkOutput, { type: 'acknowledge' }>): void {
    const same = this.#acknowledged.get(mailbox);
    if (same === undefined) this.#acknowledged.set(mailbox, { relay, sequences: [sequence] });
    else same.sequences.push(sequence);
  }

  #closeMailbox(mailbox: OwnMailbox): void {
    const done = this.#online(mailbox.relay, 'collect').then(async (link) => {
      // Only a connection that collects a mailbox may close it.
      await link.collect(mailbox);
      await link.closeMailbox(mailbox.mailbox);
    });
    this.#report(done, (error) => ({ type: 'closed', mailbox: mailbox.mailbox, error }));
  }

  #publish({ relay, lookup, card, reusable, ttlSeconds }: Extract<NetworkOutput, { type: 'publish' }>): void {
    const done = this.#online(relay, 'collect').then((link) => link.putCard(fromHex(lookup), card, reusable, ttlSeconds));
    this.#report(done, (error) => ({ type: 'published', lookup, error }));
  }

  #take({ request, relay, lookup, claim }: Extract<NetworkOutput, { type: 'take' }>): void {
    let card: Uint8Array | null = null;
    const done = this.#online(relay, 'deposit').then(async (link) => {
      card = await link.takeCard(lookup, claim);
    });
    this.#report(done, (error) => ({ type: 'card', request, card, error }));
  }

  #put({ contact, envelope, to, bytes, ttlSeconds }: Extract<NetworkOutput, { type: 'put' }>): void {
    this.#report(this.#link(to.relay, 'deposit').put(to, bytes, ttlSeconds), (error, retryAfterMs) => ({ type: 'put', contact, envelope, error, retryAfterMs }));
  }

  #report(done: Promise<void>, input: (error: ErrorCode | null, retryAfterMs: number) => Input): void {
    const tell = (error: ErrorCode | null, retryAfterMs = 0): void => this.#parts.onInput(input(error, retryAfterMs));
    done.then(() => tell(null), (error: unknown) => tell(error instanceof SottoError ? error.code : 'internal', error instanceof Refusal ? error.retryAfterMs : 0));
  }

  // Peer connections.

  async #dial({ call, role, relay, turn }: Extract<NetworkOutput, { type: 'dial' }>): Promise<void> {
    if (!turn) return this.#openPeer(call, role, relay, null);
    // What the core asks of this connection meanwhile waits until it is there.
    const waiting: NetworkOutput[] = [];
    this.#dialing.set(call, waiting);
    const server = await this.#turnServer(relay);
    if (!this.#dialing.delete(call)) return;
    this.#openPeer(call, role, relay, server);
    for (const output of waiting) this.#perform(output);
  }

  #openPeer(call: string, role: PeerOptions['role'], relay: string, turn: TurnServer | null): void {
    const { onInput, openPeer } = this.#parts;
    const state = this.state(relay, 'deposit');
    const host = hostOf(relay);
    const isLocal = isThisMachine(host);
    this.#peers.set(call, openPeer({
      role,
      stun: state?.online === true && state.stunPort !== 0 && !isLocal ? { host, port: state.stunPort } : null,
      turn,
      bindAddress: isLocal ? LOOPBACK : null,
      onDescription: (description) => onInput({ type: 'peer-description', call, description }),
      onCandidates: (candidates) => onInput({ type: 'peer-candidates', call, candidates }),
      onOpen: ({ local, remote }) => onInput({ type: 'peer-open', call, local, remote }),
      onRelayed: (relayed) => onInput({ type: 'peer-pair', call, relayed }),
      onFrame: (frame) => onInput({ type: 'peer-frame', call, frame }),
      onClosed: (reason) => {
        this.#peers.delete(call);
        onInput({ type: 'peer-closed', call, reason });
      },
    }));
  }

  /** The TURN server of a relay; null if it has none, or does not say in time. */
  async #turnServer(relay: string): Promise<TurnServer | null> {
    const known = this.#turns.get(relay);
    if (known !== undefined && known.until > this.#parts.now()) return known.server;
    try {
      const { server: named, ttlSeconds } = await this.#link(relay, 'deposit').turn();
      const urls = named?.urls.filter((url) => isUsable(url, relay)) ?? [];
      const server = named === null || urls.length === 0 ? null : { ...named, urls };
      this.#turns.set(relay, { server, until: this.#parts.now() + (ttlSeconds * 1000) / 2 });
      return server;
    } catch {
      return null;
    }
  }

  #hangUp(call: string): void {
    this.#dialing.delete(call);
    const peer = this.#peers.get(call);
    this.#peers.delete(call);
    peer?.close();
  }
}

function isUsable(turnUrl: string, relay: string): boolean {
  const turn = parseTurnUrl(turnUrl);
  return turn !== null && mayForward(turn.host, relay);
}

function keyOf(relay: string, role: LinkRole): string {
  return `${role} ${relay}`;
}
