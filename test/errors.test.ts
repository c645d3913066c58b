// Every code is documented and every documented code exists.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../crypto/error.js';

const protocol = readFileSync(new URL('../PROTOCOL.md', import.meta.url), 'utf8');
const section = protocol.slice(protocol.indexOf('## 9. Codes'), protocol.indexOf('## 10.'));
const rows = [...section.matchAll(/^\| `([a-z0-9-]+)` \| (\w+) \| (.+) \|$/gm)].map(([, code, fault, sentence]) => ({ code, fault, sentence }));

describe('the table of codes', () => {
  it('is the same in the program and in PROTOCOL.md', () => {
    const program = Object.entries(ERRORS).map(([code, { fault, sentence }]) => ({ code, fault, sentence }));
    expect(rows).toEqual(program);
  });

  it('says in each sentence what happened or what to do, and ends it', () => {
    expect(Object.values(ERRORS).filter(({ sentence }) => !/^[A-Z].{20,}[.]$/.test(sentence))).toEqual([]);
  });
});
