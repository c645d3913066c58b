// The interface of a peer connection: one data channel to one contact. Two adapters stand behind it: peer-node.ts
// (node-datachannel's native API) and peer-web.ts (the browser's RTCPeerConnection). They move bytes and know nothing of sessions.

import type { Description } from '../core/description.js';

/** A TURN server and a credential for it (RFC 8656). */
export interface TurnServer {
  /** RFC 7065. */
  readonly urls: readonly string[];
  readonly username: string;
  readonly password: string;
}

export interface PeerOptions {
  readonly role: 'offerer' | 'answerer';
  /** STUN server that tells our public address; null to gather host candidates only. */
  readonly stun: { readonly host: string; readonly port: number } | null;
  /** TURN server that forwards packets where no direct pair works; null for none. */
  readonly turn: TurnServer | null;
  /** Local address to bind to (Node only); null for all. */
  readonly bindAddress: string | null;
  /** Our description is ready: once, with the candidates gathered so far. */
  readonly onDescription: (description: Description) => void;
  /** Candidates found after the description. */
  readonly onCandidates: (candidates: readonly string[]) => void;
  /** The channel is open. Fingerprints are what DTLS really used: 32 bytes each. */
  readonly onOpen: (fingerprints: { readonly local: Uint8Array; readonly remote: Uint8Array }) => void;
  /** Whether our own address in use is one of a TURN server, or may be where the library does not tell: before onOpen, and when it changes.
   *  What the other side's is, only it knows: its packets may come before its candidates, and libraries then take the address for another
   *  one of theirs. */
  readonly onRelayed: (relayed: boolean) => void;
  /** One frame as the other side sent it. */
  readonly onFrame: (frame: Uint8Array) => void;
  /** The connection is gone for good; called once, also after close(). */
  readonly onClosed: (reason: string) => void;
}

/** The addresses that a connection uses, each with its port and the type of its candidate: `192.0.2.1:1000 host`. */
export interface Pair {
  readonly local: string;
  readonly remote: string;
}

export interface Peer {
  /** The other side's description: the answer at the offerer, the offer at the answerer. `dtls` decides our DTLS role where
   *  we answer: 'client' (default, active) or 'server' (passive). */
  setRemote(description: Description, dtls?: 'client' | 'server'): void;
  addCandidates(candidates: readonly string[]): void;
  /** Sends one frame, whole and in order. False if the channel is not open: nothing was sent. */
  send(frame: Uint8Array): boolean;
  /** Bytes that send() took and the network has not. */
  bufferedBytes(): number;
  /** The pair in use, for people to read; null before one is selected. */
  pair(): Pair | null;
  /** Round trip over the channel in ms as last measured by the liveness pings; null before the first. */
  rttMs(): number | null;
  close(): void;
}

export type OpenPeer = (options: PeerOptions) => Peer;
