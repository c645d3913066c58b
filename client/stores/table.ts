// Records as rows: one description per table says which field of a record is which column, and both directions follow from
// it. It knows nothing of what the records mean, and runs no SQL.

import { fromHex, toHex } from '../../crypto/bytes.js';
import type { SqlValue } from './sqlite.js';

/** What a column holds. `hex` is a BLOB here and lower-case hex in the record; `list` is a short list of what JSON can hold, kept as such. */
export type Column = 'text' | 'hex' | 'bytes' | 'number' | 'flag' | 'list';

/** A column for every field of a record, so that the compiler finds a forgotten one; a mailbox within a record is spread over
 *  columns named like `inbox.token`. */
export type Columns<T> = {
  readonly [K in keyof T & string as T[K] extends { readonly mailbox: string } ? `${K}.${keyof T[K] & string}` : K]: Column;
};

export interface Table<T> {
  /** The columns for SELECT, in the order that `record` expects. */
  readonly select: string;
  /** INSERT … ON CONFLICT … DO UPDATE with one parameter per column. */
  readonly upsert: string;
  values(record: T): SqlValue[];
  record(row: readonly SqlValue[]): T;
}

/**
 * @param key the columns that make two rows the same record.
 * @param fixed the columns beside them that a row keeps as it was first given them.
 */
export function table<T extends object>(name: string, key: readonly string[], columns: Columns<T>, fixed: readonly string[] = []): Table<T> {
  const fields = Object.entries<Column>(columns).map(([column, kind]) => ({ path: column.split('.'), kind }));
  const names = Object.keys(columns).map(quoted);
  const replaced = Object.keys(columns).filter((column) => !key.includes(column) && !fixed.includes(column)).map(quoted);
  return {
    select: names.map((column) => `${name}.${column}`).join(', '),
    upsert:
      `INSERT INTO ${name} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')}) ` +
      `ON CONFLICT (${key.map(quoted).join(', ')}) DO UPDATE SET ${replaced.map((column) => `${column} = excluded.${column}`).join(', ')}`,
    values: (record) => fields.map(({ path, kind }) => encode(kind, read(record, path))),
    record: (row) => {
      const record = {};
      fields.forEach(({ path, kind }, index) => write(record, path, decode(kind, row[index] ?? null)));
      return record as T;
    },
  };
}

type Fields = Record<string, unknown>;

function read(record: object, [outer = '', inner]: readonly string[]): unknown {
  const value = (record as Fields)[outer];
  return inner === undefined ? value : (value as Fields)[inner];
}

function write(record: Fields, [outer = '', inner]: readonly string[], value: unknown): void {
  if (inner === undefined) record[outer] = value;
  else write((record[outer] ??= {}) as Fields, [inner], value);
}

function encode(kind: Column, value: unknown): SqlValue {
  if (value === null) return null;
  switch (kind) {
    case 'hex': return fromHex(value as string);
    case 'flag': return value === true ? 1 : 0;
    case 'list': return JSON.stringify(value);
    case 'text': case 'bytes': case 'number': return value as SqlValue;
  }
}

function decode(kind: Column, value: SqlValue): unknown {
  if (value === null) return null;
  switch (kind) {
    case 'hex': return toHex(value as Uint8Array);
    case 'flag': return value === 1;
    case 'list': return JSON.parse(value as string);
    case 'text': case 'bytes': case 'number': return value;
  }
}

function quoted(column: string): string {
  return `"${column}"`;
}
