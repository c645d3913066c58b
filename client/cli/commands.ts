// The client's commands: their names, arguments and help. What each does is in the file of its name, and loaded
// when it runs.

import type { Command } from 'commander';
import { action, addCommand, addScreen, DEFAULT_RELAY } from './command.js';
import { EXIT_CODES } from './exit.js';

const EXIT_CODE_HELP = ['', 'Exit codes:', ...Object.entries(EXIT_CODES).map(([code, meaning]) => `  ${code}  ${meaning}`)].join('\n');

/** The argument of most commands, as their help and their errors say it. */
const CONTACT = ['<contact>', 'a name, or the beginning of an id'] as const;

/** Adds every client command to the program. A command ends the process with one of EXIT_CODES. */
export function addClientCommands(program: Command): void {
  addCommand(program, 'init', 'make an identity')
    .requiredOption('--name <name>', 'the name that your contacts see')
    .option('--relay <url>', 'the relay where your messages wait for you', DEFAULT_RELAY)
    .action(action(async () => (await import('./init.js')).init));
  addCommand(program, 'invite', 'make a link for one new contact').action(action(async () => (await import('./invite.js')).invite));
  addCommand(program, 'accept', 'make a contact of an invitation link, or ask the owner of an address')
    .argument('<link>', 'the whole link, in quotes')
    .action(action(async () => (await import('./accept.js')).accept));
  addCommand(program, 'address', 'show the link by which everybody may ask to be your contact')
    .option('--new', 'replace it: the old one serves nobody any more')
    .option('--close', 'end it')
    .action(action(async () => (await import('./address.js')).address));
  addCommand(program, 'requests', 'list who waits for your approval').action(action(async () => (await import('./requests.js')).requests));
  addCommand(program, 'approve', 'make a contact of somebody who waits')
    .argument('<id>', 'the beginning of their id')
    .action(action(async () => (await import('./requests.js')).approve));
  addCommand(program, 'refuse', 'forget somebody who waits; they are told nothing')
    .argument('[id]', 'the beginning of their id')
    .option('--all', 'forget everybody who waits')
    .action(action(async () => (await import('./requests.js')).refuse));
  // Its own options stand before the word of a command in it.
  const contacts = addCommand(program, 'contacts', 'list the contacts, or part with one').enablePositionalOptions()
    .action(action(async () => (await import('./contacts.js')).contacts));
  addCommand(contacts, 'remove', 'delete a contact and everything said with them; they are told nothing')
    .argument(...CONTACT)
    .option('--yes', 'do not ask')
    .action(action(async () => (await import('./contacts.js')).remove));
  addCommand(contacts, 'block', 'leave what a contact writes unread, and send them nothing; they are told nothing')
    .argument(...CONTACT)
    .action(action(async () => (await import('./contacts.js')).block));
  addCommand(contacts, 'unblock', 'take a blocked contact back').argument(...CONTACT).action(action(async () => (await import('./contacts.js')).unblock));
  addCommand(program, 'send', 'send a message')
    .argument(...CONTACT)
    .argument('<text>', 'the message in quotes, or - to read it from the standard input')
    .option('--wait <state>', 'until it is queued (here), accepted (by the relay), delivered or read', 'accepted')
    .option('--timeout <seconds>', 'how long to wait for it', '30')
    .action(action(async () => (await import('./send.js')).send));
  addCommand(program, 'listen', 'show messages as they come, each once, also what "chat" has shown').action(action(async () => (await import('./listen.js')).listen));
  addScreen(program, 'chat', 'talk with a contact in the terminal').argument(...CONTACT).action(action(async () => (await import('./chat.js')).chat));
  addCommand(program, 'history', 'show the messages with a contact')
    .argument(...CONTACT)
    .option('--limit <count>', 'how many, the newest', '50')
    .option('--search <words>', 'only messages with all of these words')
    .action(action(async () => (await import('./history.js')).history));
  addCommand(program, 'status', 'show the relay and the path to each contact, and why').action(action(async () => (await import('./status.js')).status));
  addCommand(program, 'verify', 'show the number that proves who your contact is').argument(...CONTACT).action(action(async () => (await import('./verify.js')).verify));
  addCommand(program, 'policy', 'choose whether a contact may see your network address')
    .argument(...CONTACT)
    .argument('<policy>', 'direct, or relay-only')
    .action(action(async () => (await import('./policy.js')).policy));
  addCommand(program, 'backup', 'write identity, contacts and messages into a sealed file')
    .argument('<file>', 'the file to make')
    .action(action(async () => (await import('./backup.js')).backup));
  addCommand(program, 'restore', 'make a home out of a backup')
    .argument('<file>', 'what "sotto backup" has written')
    .action(action(async () => (await import('./restore.js')).restore));
  addCommand(program, 'passphrase', 'lock the home with a passphrase, or change it')
    .option('--remove', 'let the home open without a passphrase')
    .action(action(async () => (await import('./change-passphrase.js')).passphrase));
  addCommand(program, 'doctor', 'find out what this network lets through')
    .option('--relay <url>', 'the relay to ask; that of the home if absent')
    .action(action(async () => (await import('./doctor.js')).doctor));
  program.addHelpText('after', EXIT_CODE_HELP);
}
