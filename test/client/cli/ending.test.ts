// What a command meets that it cannot help, told by a sentence and a code, or gone on after. Real processes with real limits.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually, Running, SOTTO, Story } from '../../support/command.js';

/** Files that a process may have open: few more than a client opens at its start. */
const FILES = 200;
/** Longer than a client takes to look at the addresses of its machine. */
const WHILE_MS = 5_000;

const story = new Story();
const home = story.home('alice');

// Nothing listens at port 1.
beforeAll(() => story.json(['init', '--name', 'Alice', '--home', home, '--relay', 'http://127.0.0.1:1']));
afterAll(() => story.end());

/** A command in a shell that does something to it. */
function shell(before: string, behind: string, ...args: readonly string[]): Running {
  const child = spawn('sh', ['-c', `${before} exec "$@" ${behind}`, 'sh', process.execPath, SOTTO, ...args, '--home', home], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return new Running(child);
}

describe.runIf(process.platform === 'linux')('a command', () => {
  it.each([['listen', '--json'], ['contacts', '--json']])('whose output goes to a disk that is full ends with the code of the disk (%s)', async (...args) => {
    const { code } = await shell('', '> /dev/full', ...args).finished();
    expect(code).toBe(6);
  });

  it('says so where it still can', async () => {
    const { code, err } = await shell('', '> /dev/full', 'status').finished();
    expect([code, err]).toEqual([6, expect.stringMatching(/^sotto: What there is to say could not be written \(ENOSPC\); .*\n$/)]);
  });

  it('goes on without a file left, and answers when there are some', async () => {
    const listener = shell(`ulimit -n ${FILES};`, '', 'listen', '--json');
    await listener.line((line) => line.includes('relay'));
    const crowd: Socket[] = Array.from({ length: 2 * FILES }, () => connect(join(home, 'socket')).on('error', () => {}));
    onTestFinished(() => crowd.forEach((socket) => socket.destroy()));
    await eventually(() => Promise.resolve(readdirSync(`/proc/${listener.child.pid}/fd`).length), (open) => open >= FILES - 2);
    await sleep(WHILE_MS);
    for (const socket of crowd) socket.destroy();
    await eventually(() => story.run(['contacts', '--home', home, '--json']), ({ code }) => code === 0);
    await listener.kill('SIGINT');
    expect([listener.child.exitCode, listener.err]).toEqual([0, '']);
  });

  it('in which something happens that nobody foresaw ends with a sentence and 1', async () => {
    const program = `process.on('SIGUSR2', () => { throw new Error('nobody foresaw this'); });`;
    const listener = story.start(['listen', '--home', home], { NODE_OPTIONS: `--import data:text/javascript;base64,${btoa(program)}` });
    await eventually(() => Promise.resolve(listener.err), (text) => text.includes('Listening'));
    listener.child.kill('SIGUSR2');
    const { code, err } = await listener.finished();
    expect([code, err.split('\n').at(-2)]).toEqual([1, 'sotto: Something went wrong inside Sotto (nobody foresaw this); please report it with what you did.']);
  });
});
