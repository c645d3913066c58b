// Where a relay says what happens to it. Whoever writes a line puts nothing into it that names a client.

/** Fields never name a client. */
export interface Log {
  error(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  info(fields: object, text: string): void;
}
