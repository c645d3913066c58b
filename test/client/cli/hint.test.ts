import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { command, programWord, quoted, withCommands } from '../../../client/cli/hint.js';

describe('a hint', () => {
  it('runs the program as it was run', () => {
    expect(programWord('/home/a/sotto/dist/bin/sotto.js', {})).toBe('npx sotto');
    expect(programWord('/home/a/sotto/node_modules/.bin/sotto', { npm_command: 'exec' })).toBe('npx sotto');
    expect(programWord('/usr/local/bin/sotto', {})).toBe('sotto');
    expect(programWord(String.raw`C:\npm\node_modules\sotto\dist\bin\sotto.js`, {})).toBe('sotto');
  });

  it('carries the home that was given, and no other', () => {
    expect(command('invite', undefined)).toMatch(/sotto invite$/);
    expect(command('invite', '/home/a b')).toMatch(/sotto invite --home '\/home\/a b'$/);
    expect(withCommands('Run "sotto init --name NAME", or "sotto contacts".', '/x')).toMatch(/^Run "(npx )?sotto init --name NAME --home \/x", or "(npx )?sotto contacts --home \/x"\.$/);
    expect(withCommands('Sotto says "no".', '/x')).toBe('Sotto says "no".');
  });

  it.skipIf(process.platform === 'win32')('says every word so that a shell takes it for itself', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'é', ' ', "'", '"', '$', '~', '*', '\\', '!', '-', '/', '#', '&'), minLength: 1 });
    fc.assert(fc.property(fc.array(word, { minLength: 1 }), (words) => {
      const said = execFileSync('sh', ['-c', `printf '%s\\n' ${words.map(quoted).join(' ')}`], { encoding: 'utf8' });
      expect(said).toBe(words.map((each) => `${each}\n`).join(''));
    }), { numRuns: 50 });
  });
});
