// A disk that is full: every command says so, leaves nothing half made, and goes on when there is room again.

import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import { SOTTO, Story } from '../support/command.js';

/** A small disk of one's own needs a mount namespace. */
const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

/** Runs lines of shell on a disk of 3 MiB; `report` writes the exit code of what follows, and its words. */
const SCRIPT = `
mount -t tmpfs -o size=3m none "$DISK"
report() { words=$("$NODE" "$SOTTO" "$@" --home "$DISK/home" 2>&1); echo "$1 $? $words"; }
dd if=/dev/zero of="$DISK/filler" bs=1k 2> /dev/null
report init --name Alice --relay http://127.0.0.1:9
ls -A "$DISK/home"
rm "$DISK/filler"
report init --name Alice --relay http://127.0.0.1:9
dd if=/dev/zero of="$DISK/filler" bs=1k 2> /dev/null
report status
rm "$DISK/filler"
report status
`;

/** A disk that fills up while a home is made on it, at one place and at another: the home is there or it is not, and what `init` has said is so. */
const SIZES_KIB = [64, 160, 256, 512];
const MAKING = `
mount -t tmpfs none "$DISK"
report() { words=$("$NODE" "$SOTTO" "$@" --home "$DISK/home" 2>&1); echo "$1 $? $words"; }
for size in ${SIZES_KIB.join(' ')}; do
  mount -o remount,size=\${size}k "$DISK"
  report init --name Alice --relay http://127.0.0.1:9
  mount -o remount,size=3m "$DISK"
  report contacts
  rm -r "$DISK/home"
done
`;

const story = new Story();
afterAll(() => story.end());

describe('a full disk', () => {
  it.skipIf(!canMount)('ends every command with a sentence, and nothing is half made', () => {
    const { stdout } = spawnSync('unshare', ['-rm', 'sh', '-c', SCRIPT], { env: { ...process.env, DISK: story.folder, NODE: process.execPath, SOTTO, NO_COLOR: '1' }, encoding: 'utf8' });
    expect(stdout.split('\n').filter((line) => /^(init|status) \d/.test(line)).map((line) => line.split(' ', 2).join(' '))).toEqual(['init 6', 'init 0', 'status 6', 'status 0']);
    expect(stdout.match(/check the free space of the disk/g)).toHaveLength(2);
    expect(stdout).not.toMatch(/draft|\.new|Error:/);
  });

  it.skipIf(!canMount)('never makes a home that cannot be opened', () => {
    const { stdout } = spawnSync('unshare', ['-rm', 'sh', '-c', MAKING], { env: { ...process.env, DISK: story.folder, NODE: process.execPath, SOTTO, NO_COLOR: '1' }, encoding: 'utf8' });
    const made = [...stdout.matchAll(/^init (\d)/gm)].map(([, code]) => code);
    const opened = [...stdout.matchAll(/^contacts (\d)/gm)].map(([, code]) => code);
    expect(made).toHaveLength(SIZES_KIB.length);
    expect([made[0], made.at(-1)]).toEqual(['6', '0']);
    expect(opened).toEqual(made.map((code) => (code === '0' ? '0' : '2')));
    expect(stdout).not.toMatch(/damaged|Error:/);
  });
});
