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

/** What was found of STUN, at its first and second port, and of TURN, by UDP and TCP. */
function examined(rule: string): { readonly stun: readonly Finding[]; readonly turn: readonly Finding[] } {
  const env = { ...process.env, RULE: rule, NODE: process.execPath, SOTTO, FOLDER: folder };
  // With its first process every other in its namespace ends.
  const { status, stderr } = spawnSync('unshare', ['-nmpf', '--mount-proc', '--kill-child', 'bash', '-c', SCRIPT], { env, encoding: 'utf8', timeout: 200_000, killSignal: 'SIGKILL' });
  expect(status, stderr).toBe(0);
  const findings = JSON.parse(readFileSync(join(folder, 'findings'), 'utf8')) as Finding[];
  return { stun: findings.filter(({ what }) => what === 'STUN'), turn: findings.filter(({ what }) => what === 'TURN' || what === 'TURN by TCP') };
}

describe.skipIf(!canMakeNetworks)('the doctor', () => {
  it('has a packet carried by TURN where the ports are open', () => {
    const { stun, turn } = examined('accept');
    expect(stun).toMatchObject([{ state: 'good', sentence: expect.stringContaining('sees this machine as 5.9.1.3') }, { state: 'good' }]);
    expect(turn).toMatchObject([{ state: 'good', sentence: expect.stringMatching(/a packet came through UDP port \d+ of 5\.9\.1\.2 in \d+ ms/) }, { state: 'good' }]);
  });

  it('finds the ports of relayed connections closed by a firewall that lets TURN itself through', () => {
    const { stun, turn } = examined('udp dport 49152-65535 drop');
    expect(stun.map(({ state }) => state)).toEqual(['good', 'good']);
    expect(turn[0]).toMatchObject({ state: 'bad', sentence: expect.stringMatching(/^Nothing that is sent to UDP port \d+ of 5\.9\.1\.2 comes through\. Open .*--turn-ports/) });
  });

  it('finds TURN silent where its own port is closed, by UDP or by TCP', () => {
    const closed = examined('udp dport 3478 drop');
    expect([closed.stun, closed.turn].map((findings) => findings.map(({ state }) => state))).toEqual([['bad', 'good'], ['bad', 'good']]);
    const streams = examined('tcp dport 3478 drop');
    expect([streams.stun, streams.turn].map((findings) => findings.map(({ state }) => state))).toEqual([['good', 'good'], ['good', 'bad']]);
  });
});
