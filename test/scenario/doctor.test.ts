// `sotto relay doctor` from another machine: it sees whether the ports of TURN are open, as a client finds out too late. The networks
// are namespaces that this test makes; no packet leaves them.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Finding } from '../../relay/doctor.js';
import { SOTTO } from '../support/command.js';

const canMakeNetworks = existsSync('/usr/sbin/nft') && spawnSync('unshare', ['-nm', 'ip', 'link', 'set', 'lo', 'up']).status === 0;

// Public addresses, for a relay forwards nothing to others. "$RULE" is what the firewall of the relay's machine drops.
const SCRIPT = `
set -e
mount -t tmpfs none /run
mkdir -p /run/netns
for name in relay doctor; do ip netns add $name; ip -n $name link set lo up; done
ip link add eth0 netns relay type veth peer name eth0 netns doctor
ip -n relay addr add 5.9.1.2/24 dev eth0; ip -n relay link set eth0 up
ip -n doctor addr add 5.9.1.3/24 dev eth0; ip -n doctor link set eth0 up
until ip -n doctor -br link show eth0 | grep -q ' UP '; do sleep 0.1; done
ip netns exec relay nft "table ip wall { chain in { type filter hook input priority 0; $RULE; }; }"
ip netns exec relay "$NODE" "$SOTTO" relay --host 5.9.1.2 --behind-proxy --port 8080 --stun-port 3478 --data "$FOLDER/data" --json > "$FOLDER/relay" &
until grep -q listening "$FOLDER/relay"; do sleep 0.1; done
ip netns exec doctor "$NODE" "$SOTTO" relay doctor http://5.9.1.2:8080 --json > "$FOLDER/findings" || test $? = 4
`;

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'sotto-doctor-')); });
afterEach(() => rmSync(folder, { recursive: true }));

function examined(rule: string): Record<string, Finding> {
  const env = { ...process.env, RULE: rule, NODE: process.execPath, SOTTO, FOLDER: folder };
  // With its first process every other in its namespace ends.
  const { status, stderr } = spawnSync('unshare', ['-nmpf', '--mount-proc', '--kill-child', 'bash', '-c', SCRIPT], { env, encoding: 'utf8', timeout: 200_000, killSignal: 'SIGKILL' });
  expect(status, stderr).toBe(0);
  const findings = JSON.parse(readFileSync(join(folder, 'findings'), 'utf8')) as Finding[];
  return Object.fromEntries(findings.map((finding) => [finding.what, finding]));
}

describe.skipIf(!canMakeNetworks)('the doctor', () => {
  it('has a packet carried by TURN where the ports are open', () => {
    const { STUN, TURN } = examined('accept');
    expect(STUN).toMatchObject({ state: 'good', sentence: expect.stringContaining('sees this machine as 5.9.1.3') });
    expect(TURN).toMatchObject({ state: 'good', sentence: expect.stringMatching(/a packet came through UDP port \d+ of 5\.9\.1\.2 in \d+ ms/) });
  });

  it('finds the ports of relayed connections closed by a firewall that lets TURN itself through', () => {
    const { STUN, TURN } = examined('udp dport 49152-65535 drop');
    expect(STUN?.state).toBe('good');
    expect(TURN).toMatchObject({ state: 'bad', sentence: expect.stringMatching(/^Nothing that is sent to UDP port \d+ of 5\.9\.1\.2 comes through\. Open .*--turn-ports/) });
  });

  it('finds TURN silent where its own port is closed', () => {
    const { STUN, TURN } = examined('udp dport 3478 drop');
    expect([STUN?.state, TURN?.state]).toEqual(['bad', 'bad']);
  });
});
