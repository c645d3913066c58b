// Standard stacks in a network that has IPv6 alone: client and server in network namespaces of their own, which end with the test.

import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { hasChromium } from '../../support/chromium.js';

const [SERVER, CLIENT] = ['nat.ts', 'v6.ts'].map((name) => fileURLToPath(new URL(name, import.meta.url)));

const SCRIPT = `
  set -e
  mount -t tmpfs none /run
  mkdir /run/netns
  for name in client server; do ip netns add $name; ip -n $name link set lo up; done
  ip link add name eth0 netns client type veth peer name eth0 netns server
  ip -n client address add $NETWORK:2/64 dev eth0 nodad
  ip -n server address add $NETWORK:1/64 dev eth0 nodad
  for name in client server; do ip -n $name link set eth0 up; done
  until ip -n client -br link show eth0 | grep -q ' UP ' && ip -n server -br link show eth0 | grep -q ' UP '; do sleep 0.1; done
  nsenter --net=/run/netns/server "$NODE" --import "$TSX" "$SERVER" serve :: &
  until nsenter --net=/run/netns/server ss -lunH 'sport = :3478' | grep -q .; do sleep 0.1; done
  nsenter --net=/run/netns/client "$NODE" --import "$TSX" "$CLIENT" $NETWORK:1 $STACK
`;

const inside = ['-Urnmpf', '--mount-proc', '--kill-child', 'bash', '-c'];
const canBuild = process.platform === 'linux' && spawnSync('unshare', [...inside, 'ip link add name near type veth peer name far && ip -6 address add fd00::1/64 dev near']).status === 0;

describe.skipIf(!canBuild)('where there is IPv6 alone (skipped where no namespaces can be made)', () => {
  const stacks = ['libdatachannel', ...hasChromium ? ['chromium'] : []];
  test.each(stacks.flatMap((stack) => [[stack, 'fd00:9:'], [stack, '2600:9:']] as const))('%s relays at %s:1, relay candidates on both sides', (stack, network) => {
    const env = { ...process.env, NETWORK: network, STACK: stack, NODE: process.execPath, TSX: import.meta.resolve('tsx'), SERVER, CLIENT };
    const types: unknown = JSON.parse(execFileSync('unshare', [...inside, SCRIPT], { env, encoding: 'utf8', timeout: 200_000, killSignal: 'SIGKILL' }));
    expect(types).toEqual(['relay', 'relay', 'relay', 'relay']);
  });
});
