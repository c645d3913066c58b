// A process that tries to take the lock of a home, says whether it did, and holds it until it is ended.

import { lockHome } from '../../client/home.js';

try {
  lockHome(process.argv[2] ?? '');
  process.send?.('held');
} catch {
  process.send?.('refused');
}
setInterval(() => {}, 60_000);
