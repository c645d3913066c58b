// The client's part of the command, as a process of its own.

import { Command } from 'commander';
import { addClientCommands } from '../../client/cli/commands.js';

const program = new Command('sotto');
addClientCommands(program);
await program.parseAsync();
