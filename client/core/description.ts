// One side of a peer connection, as it travels in Offer and Answer (PROTOCOL.md §8). The transports turn it into SDP by a
// template; what a library hands out as SDP is read into it; no SDP from outside is ever parsed.

export type Setup = 'actpass' | 'active' | 'passive';

/** Most candidates of one description, and of one connection: libjuice keeps no more. */
export const CANDIDATES_MAX = 30;

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

/** Whether fields from outside are a description. Candidates are judged one by one, where they are used. */
export function isDescription({ ufrag, pwd, fingerprint, setup, candidates }: Omit<Description, 'setup'> & { readonly setup: string }): boolean {
  return /^[A-Za-z0-9+/]{4,256}$/.test(ufrag)
    && /^[A-Za-z0-9+/]{22,256}$/.test(pwd)
    && fingerprint.length === 32
    && (setup === 'actpass' || setup === 'active' || setup === 'passive')
    && candidates.length <= CANDIDATES_MAX;
}
