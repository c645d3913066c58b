// The two-port test behind NATs of the kernel: a client in one network namespace, a router in another, and the server in a
// third, all of them inside namespaces of their own that end with the test.

import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const PROGRAM = fileURLToPath(new URL('nat.ts', import.meta.url));

/** Postrouting of the router, and how many addresses the client then has at the two ports. */
const NATS = [
  { nat: 'masquerade', mapping: 'independent of the destination', addresses: 1 },
  { nat: 'masquerade fully-random', mapping: 'dependent on the destination', addresses: 2 },
] as const;

const SCRIPT = `
  set -e
  mount -t tmpfs none /run
  mkdir /run/netns
  for name in client router server; do ip netns add $name; done
  join() {
    ip link add name $1 netns $2 type veth peer name $4 netns $5
    ip -n $2 address add $3 dev $1
    ip -n $5 address add $6 dev $4
    ip -n $2 link set $1 up
    ip -n $5 link set $4 up
  }
  join eth0 client 192.168.0.2/24 lan router 192.168.0.1/24
  join wan router 198.51.100.1/24 eth0 server 198.51.100.2/24
  for name in client router server; do ip -n $name link set lo up; done
  ip -n client route add default via 192.168.0.1
  nsenter --net=/run/netns/router sysctl -q -w net.ipv4.ip_forward=1
  nsenter --net=/run/netns/router nft "add table ip nat; add chain ip nat post { type nat hook postrouting priority srcnat; }; add rule ip nat post oifname wan udp dport 1-65535 $NAT"
  nsenter --net=/run/netns/server "$NODE" --import "$TSX" "$PROGRAM" serve 198.51.100.2 &
  nsenter --net=/run/netns/client "$NODE" --import "$TSX" "$PROGRAM" ask 198.51.100.2
`;

const inside = ['-Urnmpf', '--mount-proc', '--kill-child', 'bash', '-c'];
const canBuild = process.platform === 'linux' && spawnSync('unshare', [...inside, 'ip link add name near type veth peer name far && nft add table ip nat && nft add chain ip nat post "{ type nat hook postrouting priority srcnat; }"']).status === 0;

test.skipIf(!canBuild).each(NATS)('tells a mapping that is $mapping (skipped where no namespaces can be made)', ({ nat, addresses }) => {
  const env = { ...process.env, NAT: nat, NODE: process.execPath, TSX: import.meta.resolve('tsx'), PROGRAM };
  const said = JSON.parse(execFileSync('unshare', [...inside, SCRIPT], { env, encoding: 'utf8', timeout: 200_000, killSignal: 'SIGKILL' })) as string[];
  expect(said.every((address) => address.startsWith('198.51.100.1:'))).toBe(true);
  expect(new Set(said).size).toBe(addresses);
});
