// Before any test: the program is built, and what the machine lacks is installed where that can be done (root on Debian);
// elsewhere it is named, and the tests that need it report themselves as skipped.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Tool {
  /** Where Debian's package puts it. */
  readonly file: string;
  readonly package: string;
  readonly purpose: string;
}

const TOOLS: readonly Tool[] = [
  { file: '/usr/bin/chromium', package: 'chromium', purpose: 'the browser tests' },
  { file: '/usr/bin/turnserver', package: 'coturn', purpose: "TURN tests with coturn's clients and server" },
  { file: '/usr/bin/promtool', package: 'prometheus', purpose: "Prometheus's own test of the alerts" },
  { file: '/usr/sbin/nft', package: 'nftables', purpose: 'tests behind real NATs' },
  { file: '/usr/sbin/ip', package: 'iproute2', purpose: 'tests in networks of their own' },
  { file: '/usr/bin/openssl', package: 'openssl', purpose: 'tests with a certificate that changes' },
  { file: '/usr/bin/systemd-analyze', package: 'systemd', purpose: "systemd's own judgement of the unit" },
];

/** Vectors that others have published (test/vectors/README.md). They are not ours to hand on. */
const PUBLISHED = fileURLToPath(new URL('../../shared/vectors/', import.meta.url));

export default function setup(): void {
  if (!existsSync(PUBLISHED)) process.stdout.write(`${PUBLISHED} is not here; skipped are the published vectors (test/vectors/README.md says where they come from).\n`);
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  const missing = TOOLS.filter(({ file }) => !existsSync(file));
  if (missing.length === 0) return;
  if (process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) install(missing);
  for (const tool of missing) {
    if (!existsSync(tool.file)) process.stdout.write(`${tool.package} is not here and cannot be installed from here; skipped are ${tool.purpose}.\n`);
  }
}

function install(tools: readonly Tool[]): void {
  process.stdout.write(`Installing ${tools.map((tool) => tool.package).join(', ')} for the tests …\n`);
  // At run level 1 Debian starts no service that a package brings.
  const options = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' } } as const;
  try {
    execFileSync('apt-get', ['update'], options);
    execFileSync('apt-get', ['install', '-y', '--no-install-recommends', ...tools.map((tool) => tool.package)], options);
  } catch {
    // What is missing is named by setup().
  }
}
