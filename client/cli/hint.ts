// What a person types next. A hint is a command as this one was typed: with the same word for the program, and with the home that was
// given. It knows no command.

/**
 * The word that runs this program: `npx sotto` in a clone of the project, `sotto` where it is installed.
 * @param script the path that Node was given, which for an installed program is a link or lies in node_modules.
 */
export function programWord(script = process.argv[1] ?? '', env: NodeJS.ProcessEnv = process.env): 'sotto' | 'npx sotto' {
  const isInstalled = !/\.[jt]s$/.test(script) || /[\\/]node_modules[\\/]/.test(script);
  return isInstalled && env['npm_command'] === undefined ? 'sotto' : 'npx sotto';
}

/** A word as a shell takes it. */
export function quoted(word: string): string {
  return /^(?!~)[\p{L}\p{N}_./~:-]+$/u.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** A command to type next, with the home that this one was given. */
export function command(words: string, home: string | undefined): string {
  return `${programWord()} ${words}${home === undefined ? '' : ` --home ${quoted(home)}`}`;
}

/** A sentence in which every command, written "sotto …" with its quotes, is one to type next. */
export function withCommands(sentence: string, home: string | undefined): string {
  return sentence.replaceAll(/"sotto ([^"]+)"/g, (_, words: string) => `"${command(words, home)}"`);
}
