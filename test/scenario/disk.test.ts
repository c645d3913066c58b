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

const story = new Story();
afterAll(() => story.end());

describe('a full disk', () => {
  it.skipIf(!canMount)('ends every command with a sentence, and nothing is half made', () => {
    const { stdout } = spawnSync('unshare', ['-rm', 'sh', '-c', SCRIPT], { env: { ...process.env, DISK: story.folder, NODE: process.execPath, SOTTO, NO_COLOR: '1' }, encoding: 'utf8' });
    expect(stdout.split('\n').filter((line) => /^(init|status) \d/.test(line)).map((line) => line.split(' ', 2).join(' '))).toEqual(['init 6', 'init 0', 'status 6', 'status 0']);
    expect(stdout.match(/check the free space of the disk/g)).toHaveLength(2);
    expect(stdout).not.toMatch(/draft|\.new|Error:/);
  });
});
