// `sotto doctor` behind NATs of the kernel: it names what the translator does to whoever wants a direct path. Client, router and relay are in
// network namespaces that end with the test.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SOTTO } from '../support/command.js';

const SCRIPT = `
set -e
mount -t tmpfs none /run
mkdir -p /run/netns
for name in client router server; do ip netns add $name; ip -n $name link set lo up; done
plug() {
  ip link add name $2 netns router type veth peer name eth0 netns $1
  ip -n router address add $3.1/24 dev $2; ip -n router link set $2 up
  ip -n $1 address add $3.2/24 dev eth0; ip -n $1 link set eth0 up; ip -n $1 route add default via $3.1
}
plug client lan 192.168.0
plug server wan 198.51.100
ip netns exec router sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
if [ -n "$NAT" ]; then
  ip netns exec router nft "add table ip nat; add chain ip nat post { type nat hook postrouting priority srcnat; }; add rule ip nat post oifname wan meta l4proto udp $NAT; add rule ip nat post oifname wan masquerade"
fi
until ip -n router -br link | grep -c ' UP ' | grep -q 2; do sleep 0.1; done
ip netns exec server "$NODE" "$SOTTO" relay --host 198.51.100.2 --behind-proxy --port 8080 --stun-port 3478 --data "$FOLDER/data" --json > "$FOLDER/relay" &
until grep -q listening "$FOLDER/relay"; do sleep 0.1; done
ip netns exec client "$NODE" "$SOTTO" doctor --relay http://198.51.100.2:8080 --json > "$FOLDER/found"
`;

const inside = ['-nmpf', '--mount-proc', '--kill-child', 'bash', '-c'];
const canMakeNetworks = spawnSync('unshare', [...inside, 'ip link add name near type veth peer name far && nft add table ip nat']).status === 0;

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'sotto-doctor-')); });
afterEach(() => rmSync(folder, { recursive: true }));

describe.skipIf(!canMakeNetworks)('the doctor (skipped where no networks can be made)', () => {
  it.each([
    ['masquerade', { translated: true, portKept: true, mapping: 'endpoint-independent' }, 'alike towards both ports of the relay (endpoint-independent mapping): direct paths are likely'],
    ['masquerade fully-random', { translated: true, mapping: 'dependent' }, 'differently for each destination (dependent mapping): a direct path opens only to people in easier networks'],
    ['', { translated: false, portKept: null, mapping: null }, 'no address translation before the relay'],
  ])('behind "%s" says what it does to direct paths', (nat, expected, sentence) => {
    const env = { ...process.env, NAT: nat, NODE: process.execPath, SOTTO, FOLDER: folder };
    const { status, stderr } = spawnSync('unshare', [...inside, SCRIPT], { env, encoding: 'utf8', timeout: 200_000, killSignal: 'SIGKILL' });
    expect(status, stderr).toBe(0);
    const found = JSON.parse(readFileSync(join(folder, 'found'), 'utf8'));
    expect(found).toMatchObject({ obstacle: null, ...expected });
    expect(found.findings.at(-1).text).toContain(sentence);
  });
});
