// Before any test: the program is built, and what the machine lacks is installed where that can be done (root on Debian);
// elsewhere it is named, and the tests that need it report themselves as skipped.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export default function setup(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  if (existsSync('/usr/bin/chromium')) return;
  const canInstall = process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  if (!canInstall) {
    process.stdout.write('Chromium is not at /usr/bin/chromium and cannot be installed from here: the browser tests will be skipped.\n');
    return;
  }
  process.stdout.write('Installing Chromium for the browser tests …\n');
  try {
    const options = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } } as const;
    execFileSync('apt-get', ['update'], options);
    execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'], options);
  } catch {
    process.stdout.write('Chromium could not be installed: the browser tests will be skipped.\n');
  }
}
