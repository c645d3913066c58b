// From the formats of earlier relays to the one that layout.ts describes. Each step is one transaction: a relay that dies in the
// middle of it finds the old format again. There is no way back; operators take a backup first (docs/OPERATING.md).

import { SottoError } from '../../crypto/error.js';
import type { Limits } from '../core/limits.js';
import { integer, mailboxExpiryKey, packTotals, unpackCard, unpackEnvelope } from './layout.js';
import type { Totals } from './store.js';
import { FORMAT_KEY, TOTALS_KEY, type Tables } from './tables.js';

/** Version of layout.ts. */
export const FORMAT = 2;

const NOTHING = Buffer.alloc(0);

/** What brings the format of an index + 1 to the next. */
const STEPS: readonly ((tables: Tables, limits: Limits, now: number) => void)[] = [dateAndCount];

/**
 * Brings the data to this format, or begins it.
 * @throws SottoError `store-damaged` for the format of a later relay, with nothing changed.
 */
export function migrate(tables: Tables, folder: string, limits: Limits, now: number): void {
  const { root } = tables;
  const format = root.get(FORMAT_KEY)?.[0];
  if (format !== undefined && (format < 1 || format > FORMAT)) {
    throw new SottoError('store-damaged', `The relay's data in ${folder} has format ${format} and this Sotto reads formats 1 to ${FORMAT}; update Sotto, or choose another folder with --data DIR.`);
  }
  if (format === FORMAT) return;
  root.transactionSync(() => {
    if (format === undefined) root.putSync(TOTALS_KEY, packTotals({ mailboxes: 0, envelopes: 0, cards: 0, bytes: 0 }));
    else for (const step of STEPS.slice(format - 1)) step(tables, limits, now);
    root.putSync(FORMAT_KEY, Buffer.of(FORMAT));
  });
}

/** To format 2: mailboxes are removed when nobody has collected them for long, counted from now, and the totals are written down. */
function dateAndCount({ root, mailboxes, envelopes, cards, expiry }: Tables, limits: Limits, now: number): void {
  const dueAt = now + limits.mailboxSeconds * 1_000;
  const totals: { -readonly [Name in keyof Totals]: number } = { mailboxes: 0, envelopes: 0, cards: 0, bytes: 0 };
  for (const { key, value } of Array.from(mailboxes.getRange({}))) {
    mailboxes.putSync(key, Buffer.concat([value, integer(dueAt)]));
    expiry.putSync(mailboxExpiryKey(dueAt, key), NOTHING);
    totals.mailboxes += 1;
  }
  for (const { value } of envelopes.getRange({})) {
    totals.envelopes += 1;
    totals.bytes += unpackEnvelope(value).envelope.length;
  }
  for (const { value } of cards.getRange({})) {
    totals.cards += 1;
    totals.bytes += unpackCard(value).card.length;
  }
  root.putSync(TOTALS_KEY, packTotals(totals));
}
