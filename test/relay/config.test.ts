// Settings by flag, environment and file.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printConfig, readConfig } from '../../relay/config.js';
import { LIMITS } from '../../relay/core/limits.js';
import { addSettings, flagOf, NAMES, SETTINGS, type Setting } from '../../relay/settings.js';
import { temporaryFolder } from './support.js';

function fileWith(settings: unknown): string {
  const file = join(temporaryFolder(), 'relay.json');
  writeFileSync(file, typeof settings === 'string' ? settings : JSON.stringify(settings));
  return file;
}

const read = (flags: Record<string, unknown> = {}, env: NodeJS.ProcessEnv = {}) => readConfig(flags, env, '/data').config;

test('a flag goes before the environment, that before the file, and that before what a setting is at first', () => {
  const config = fileWith({ port: 1, stunPort: 1, connections: 1, lan: true, origins: ['https://a.example'] });
  const env = { SOTTO_RELAY_PORT: '2', SOTTO_RELAY_STUN_PORT: '2', SOTTO_RELAY_ORIGINS: 'https://b.example, https://c.example', PATH: '/bin' };
  expect(read({ config, port: '3' }, env)).toMatchObject({
    port: 3, stunPort: 2, connections: 1, lan: true, origins: ['https://b.example', 'https://c.example'], host: '127.0.0.1', data: '/data', mailboxBytes: LIMITS.mailboxBytes,
  });
  expect(read({}, { SOTTO_RELAY_CONFIG: config }).port).toBe(1);
});

test('it is known what was chosen and what was not', () => {
  expect([...readConfig({ port: '1', json: true }, { SOTTO_RELAY_HOST: '::1' }, '/data').given].toSorted()).toEqual(['host', 'port']);
});

test('a setting that is none is an error that names the nearest one, wherever it stands', () => {
  const config = fileWith({ mailboxByte: 5 });
  expect(() => read({ config })).toThrow(expect.objectContaining({ code: 'option-invalid', message: expect.stringMatching(/^"mailboxByte" in .* did you mean "mailboxBytes"/) }));
  expect(() => read({}, { SOTTO_RELAY_TLSCERT: 'x' })).toThrow('did you mean SOTTO_RELAY_TLS_CERT?');
  expect(() => read({}, { SOTTO_RELAY_WAT: 'x' })).toThrow('SOTTO_RELAY_WAT is no setting; "sotto relay --help" lists them all.');
});

test('a value that a setting cannot take is an error that says what it takes', () => {
  for (const [name, value] of [['port', '65536'], ['port', '-1'], ['port', '1e3'], ['port', ''], ['port', ' 1'], ['workBits', '25'], ['admission', 'all'], ['connections', '0']]) {
    expect(() => read({ [name!]: value }), `${name} ${value}`).toThrow(`${flagOf(name!)} takes ${SETTINGS[name as 'port'].takes}.`);
  }
  expect(() => read({ config: fileWith({ port: 1.5 }) })).toThrow('"port" in');
  expect(() => read({ config: fileWith({ lan: 'yes' }) })).toThrow('takes true or false');
  for (const [file, why] of [[fileWith('{"admissionToken": "secret"'), 'no JSON'], [fileWith('[]'), 'no object'], ['/nowhere/at/all', 'ENOENT']] as const) expect(() => read({ config: file })).toThrow(new RegExp(`cannot be read as JSON with settings \\((it is )?${why}\\)\\.$`));
});

test('settings that belong together are asked for together', () => {
  expect(() => read({ tlsCert: 'a' })).toThrow('--tls-key');
  expect(() => read({ tlsCert: 'a', tlsKey: 'b', behindProxy: true })).toThrow('stands alone');
  expect(() => read({ admission: 'token' })).toThrow('--admission-token');
  expect(() => read({ admission: 'token', admissionToken: 'short' })).toThrow('--admission-token');
});

test('an origin that no browser says is an error: a page from there would never get in', () => {
  for (const wrong of ['app.example', 'https://app.example/', 'https://App.example', 'app.example:443']) {
    expect(() => read({ origins: [wrong] }), wrong).toThrow('--origins takes origins as browsers say them');
  }
  expect(read({ origins: ['https://app.example', 'http://10.0.0.1:5173', 'http://[::1]:80', 'tauri://localhost', 'null', '*'] }).origins).toHaveLength(6);
});

test('what is printed is what can be read again, and shows no secret', () => {
  const config = read({ port: '5', admission: 'token', admissionToken: 'a token that is long' });
  const printed = printConfig(config);
  expect(printed).not.toContain('a token');
  expect(read({ config: fileWith(printed), admissionToken: config.admissionToken })).toEqual(config);
});

test('no text makes a setting of another kind of value', () => {
  fc.assert(fc.property(fc.constantFrom(...NAMES), fc.string(), (name, text) => {
    try {
      expect(typeof read({ [name]: text })[name]).toBe(typeof SETTINGS[name].initial);
    } catch (error) {
      expect(error).toMatchObject({ code: 'option-invalid' });
    }
  }), { numRuns: 300 });
});

test('--help shows what a choice may be, and the default of whatever has one', () => {
  const command = new Command();
  addSettings(command);
  const help = command.configureHelp({ helpWidth: 1_000 }).helpInformation();
  for (const name of NAMES) {
    const { form, initial }: Setting<unknown> = SETTINGS[name];
    const line = help.split('\n').find((each) => each.includes(`${flagOf(name)} `))!;
    if (form.kind === 'choice') expect(line).toContain(`<${form.values.join('|')}>`);
    if (typeof initial !== 'boolean' && String(initial) !== '') expect(line).toContain(`(default: ${String(initial)})`);
  }
});
