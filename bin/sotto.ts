#!/usr/bin/env node
// The command `sotto`: the relay's and the client's commands under one name. Each loads what it needs when it runs.

import { existsSync, readFileSync } from 'node:fs';
import { program } from 'commander';
import { refuseInOurWords } from '../client/cli/command.js';
import { addClientCommands } from '../client/cli/commands.js';
import { programWord } from '../client/cli/hint.js';
import { addRelayCommand } from '../relay/command.js';
import { nearest } from '../relay/nearest.js';

/** package.json stands beside bin/ in the source and above dist/ once built. */
function readVersion(): string {
  const file = ['../package.json', '../../package.json'].map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url))!;
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

program.name(programWord()).description('Private messages without an account, sealed end to end, direct where the networks allow.').version(readVersion());
addClientCommands(program);
addRelayCommand(program);
refuseInOurWords(program, nearest);
await program.parseAsync();
