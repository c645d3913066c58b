// One side of a peer connection, as it travels in Offer and Answer (PROTOCOL.md §8). The transports turn it into SDP by a
// template; what a library hands out as SDP is read into it; no SDP from outside is ever parsed.

export type Setup = 'actpass' | 'active' | 'passive';

export interface Description {
  /** ICE user fragment, 4 to 256 ice-chars (RFC 8839 §5.4). */
  readonly ufrag: string;
  /** ICE password, 22 to 256 ice-chars. */
  readonly pwd: string;
  /** SHA-256 of the DTLS certificate, 32 bytes. */
  readonly fingerprint: Uint8Array;
  readonly setup: Setup;
  /** Candidates known so far, in the form `candidate:…` of RFC 8839 §5.1, without `a=`. */
  readonly candidates: readonly string[];
}
