// Two networks that let no packet pass from one to the other, and a relay that both reach: the conversation goes through its TURN server.
// Where packets do pass, it does not. The networks are namespaces that this test makes; no packet leaves them.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SOTTO } from '../support/command.js';

const canMakeNetworks = spawnSync('unshare', ['-nm', 'ip', 'link', 'set', 'lo', 'up']).status === 0;

// Public addresses, for a relay forwards nothing to others. "wall" is the rule by which the router between them drops packets.
const SCRIPT = `
set -e
mount -t tmpfs none /run
mkdir -p /run/netns
for name in router relay alice bob; do ip netns add $name; ip -n $name link set lo up; done
ip netns exec router sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
plug() {
  ip link add to-$1 netns router type veth peer name eth0 netns $1
  ip -n router addr add $2.1/24 dev to-$1; ip -n router link set to-$1 up
  ip -n $1 addr add $2.2/24 dev eth0; ip -n $1 link set eth0 up; ip -n $1 route add default via $2.1
}
plug relay 5.9.1; plug alice 5.9.2; plug bob 5.9.3
if [ "$WALL" = yes ]; then
  ip -n router rule add from 5.9.2.0/24 to 5.9.3.0/24 blackhole
  ip -n router rule add from 5.9.3.0/24 to 5.9.2.0/24 blackhole
fi
at() { where=$1; shift; ip netns exec $where "$NODE" "$SOTTO" "$@" --json; }
until ip -n router -br link | grep -c ' UP ' | grep -q 3; do sleep 0.1; done
at relay relay --host 5.9.1.2 --behind-proxy --port 8080 --stun-port 3478 --turn-workers $WORKERS --data "$FOLDER/data" > "$FOLDER/relay" &
until grep -q listening "$FOLDER/relay"; do sleep 0.1; done
at alice init --name Alice --home "$FOLDER/alice" --relay http://5.9.1.2:8080
at bob init --name Bob --home "$FOLDER/bob" --relay http://5.9.1.2:8080
link=$(at alice invite --home "$FOLDER/alice" | sed 's/.*"link":"\\([^"]*\\)".*/\\1/')
at bob accept "$link" --home "$FOLDER/bob"
at alice listen --home "$FOLDER/alice" > "$FOLDER/heard-by-alice" &
at bob listen --home "$FOLDER/bob" > "$FOLDER/heard-by-bob" &
for tries in $(seq 200); do
  at alice status --home "$FOLDER/alice" > "$FOLDER/status"
  at bob status --home "$FOLDER/bob" > "$FOLDER/status-of-bob"
  cat "$FOLDER/status" "$FOLDER/status-of-bob" >> "$FOLDER/statuses"
  if grep -q "\\"path\\":\\"$EXPECTED\\"" "$FOLDER/status"; then break; fi
  sleep 0.5
done
at alice send Bob 'through the wall' --wait delivered --home "$FOLDER/alice" > "$FOLDER/sent"
at bob send Alice 'and back' --wait delivered --home "$FOLDER/bob" > "$FOLDER/answered"
until grep -q 'through the wall' "$FOLDER/heard-by-bob" && grep -q 'and back' "$FOLDER/heard-by-alice"; do sleep 0.1; done
`;

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'sotto-turn-')); });
afterEach(() => rmSync(folder, { recursive: true }));

const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
const texts = (file: string): unknown[] => read(file).trim().split('\n').map((line) => JSON.parse(line)).filter(({ type }) => type === 'message').map(({ text, path }) => ({ text, path }));

function talk(wall: 'yes' | 'no', workers: number): void {
  const env = { ...process.env, WALL: wall, WORKERS: `${workers}`, EXPECTED: wall === 'yes' ? 'turn' : 'direct', NODE: process.execPath, SOTTO, FOLDER: folder };
  // With its first process every other in its namespace ends.
  const { status, stderr } = spawnSync('unshare', ['-nmpf', '--mount-proc', '--kill-child', 'bash', '-c', SCRIPT], { env, encoding: 'utf8', timeout: 200_000, killSignal: 'SIGKILL' });
  expect(status, stderr).toBe(0);
}

describe.skipIf(!canMakeNetworks)('two networks', () => {
  it.each([0, 2])('that let nothing pass between them are joined by the TURN server of a relay with %i workers, and status says so', (workers) => {
    talk('yes', workers);
    const [contact] = JSON.parse(read('status')).contacts;
    expect(contact).toMatchObject({ path: 'turn', why: expect.stringContaining('a server forwards them') });
    // Whose server it is, its own client knows; the other's library may have taken its address for another.
    const locals = ['status', 'status-of-bob'].map((file) => JSON.parse(read(file)).contacts[0].pair.local);
    expect(locals).toContainEqual(expect.stringMatching(/^5\.9\.1\.2:\d+ relay$/));
    if (!locals[0].endsWith(' relay')) expect(contact.pair.remote).toMatch(/^5\.9\.1\.2:\d+ (relay|prflx)$|^unknown relay$/);
    expect(read('statuses')).not.toContain('"path":"direct"');
    expect(JSON.parse(read('sent'))).toMatchObject({ state: 'delivered', path: 'turn' });
    expect(texts('heard-by-bob')).toEqual([{ text: 'through the wall', path: 'turn' }]);
    expect(texts('heard-by-alice')).toEqual([{ text: 'and back', path: 'turn' }]);
  });

  it('that let packets pass are joined directly, and no TURN server takes part', () => {
    talk('no', 0);
    const [contact] = JSON.parse(read('status')).contacts;
    expect(contact).toMatchObject({ path: 'direct', pair: { local: expect.stringContaining('5.9.2.2:'), remote: expect.stringContaining('5.9.3.2:') } });
    expect(texts('heard-by-bob')).toEqual([{ text: 'through the wall', path: 'direct' }]);
  });
});
