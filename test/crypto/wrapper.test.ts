// Every test of what the primitives carry once more, on the back end that stands in where the arena cannot be had: a file that
// is imported here asks for no back end by name, so it gets the one that is chosen already.

import { expect, it } from 'vitest';
import { ready, readyOn } from '../../crypto/sodium.js';

await readyOn('wrapper');

it('runs on the wrapper', async () => {
  expect(await ready()).toBe('wrapper');
});

await import('./vectors.test.js');
await import('./identity.test.js');
await import('./invitation.test.js');
await import('./handshake.test.js');
await import('./session.test.js');
await import('./hostile.test.js');
