// Writes the frozen vectors anew from the second implementation: `npx tsx test/vectors/generate.ts`. One may do so where the
// protocol changes before a release, in the commit that changes PROTOCOL.md and CHANGELOG.md; never after a release, because then
// they say what people's clients do.

import { writeFileSync } from 'node:fs';
import { vectorFiles } from './cases.js';

for (const [name, content] of Object.entries(vectorFiles())) {
  writeFileSync(new URL(`${name}.json`, import.meta.url), `${JSON.stringify(content, null, 1)}\n`);
}
