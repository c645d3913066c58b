// The numbers of the contract in relay.proto that both sides must know.

/** Version of the contract, sent in Welcome. */
export const WIRE_VERSION = 1;

/** Lengths of the fixed fields, in bytes. */
export const MAILBOX_BYTES = 16;
export const TOKEN_BYTES = 16;
export const TOKEN_HASH_BYTES = 32;
export const OWNER_BYTES = 32;
export const SIGNATURE_BYTES = 64;
export const CHALLENGE_BYTES = 32;
export const LOOKUP_BYTES = 16;
export const CLAIM_BYTES = 16;

/** Longest token or nonce that is shown for admission. */
export const ADMISSION_MAX_BYTES = 64;

/** Most leading zero bits that a relay may ask for: some seconds on a telephone. */
export const WORK_MAX_BITS = 24;

/** Largest envelope: the largest padding bucket of a ratchet message (PROTOCOL.md §5). */
export const ENVELOPE_MAX_BYTES = 65_536;

/** Largest card: a sealed bundle is 2,088 bytes; the rest is room for later suites. */
export const CARD_MAX_BYTES = 4_096;

/** Largest frame either side reads: the largest envelope and what surrounds it. */
export const FRAME_MAX_BYTES = ENVELOPE_MAX_BYTES + 1_024;

/** Longest life of an envelope: what a person away for a month still gets. */
export const ENVELOPE_MAX_TTL_SECONDS = 30 * 24 * 3600;

/** Longest life of a card for one guest: an invitation lives at most a week. */
export const CARD_MAX_TTL_SECONDS = 7 * 24 * 3600;

/** Longest life of a reusable card: the owner of an address may be away for four weeks, in the fifth it still answers, and a day for clocks. */
export const REUSABLE_CARD_MAX_TTL_SECONDS = (5 * 7 + 1) * 24 * 3600;

/** Most sequences in one Acknowledge, so that one frame is bounded work. */
export const ACKNOWLEDGE_MAX = 1_000;

/** Most URLs in Turn, and the longest of its texts: a host name has up to 253 characters. */
export const TURN_URLS_MAX = 8;
export const TURN_TEXT_MAX_LENGTH = 512;

/** Label of the owner's signature over challenge | mailbox | token_hash; crypto/signature.ts puts "sotto1/" before it. */
export const COLLECT_LABEL = 'collect';

/** Paths of the two connections. */
export const COLLECT_PATH = '/v1/collect';
export const DEPOSIT_PATH = '/v1/deposit';
