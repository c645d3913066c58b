// The Chromium of the browser tests: where it is, and how it is started so that it talks to nobody but us.

import { existsSync } from 'node:fs';

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** Tests that need a browser are skipped, by name, where this is false. */
export const hasChromium = existsSync(executablePath);

/** Options for playwright. */
export const CHROMIUM = {
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
};
