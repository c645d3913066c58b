// A process that commits until it is killed: node --import tsx committer.ts FILE. Each line says the number of the last Text
// whose commit was reported durable.

import { writeSync } from 'node:fs';
import { openNodeStore } from '../../../client/stores/node.js';
import { ALICE, KEY, sending } from './records.js';

const store = await openNodeStore(process.argv[2]!, KEY);
const before = await store.load();
if (before === null) await store.create(ALICE);
let number = before?.contacts[0]?.sentNumber ?? 0;
for (;;) {
  const batch = number % 7 === 0 ? 20 : 1;
  const changes = Array.from({ length: batch }, (_, n) => sending(number + n + 1)).flat();
  await store.commit(changes);
  number += batch;
  writeSync(1, `${number}\n`);
}
