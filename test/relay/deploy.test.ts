// What an operator copies out of deploy/ and docs/OPERATING.md fits the program: settings exist, metrics exist, the unit is sound.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { ready } from '../../crypto/sodium.js';
import { readConfig } from '../../relay/config.js';
import { flagOf, NAMES } from '../../relay/settings.js';
import { SOTTO } from '../support/command.js';
import { newMailbox, put, random, temporaryFolder, TestClient, testRelay } from './support.js';

beforeAll(ready);

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (name: string): string => readFileSync(join(root, name), 'utf8');
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

/** Exposure by systemd's own measure, of 10; the unit reaches 1.6 with systemd 252. */
const EXPOSURE_MAX = 2;

const OWN_FLAGS = ['--help', '--json', '--guide', '--take-over', '--print-config', '--config', '--log'];

/** Flags of `sotto relay` in a text, and variables of its environment. */
function settingsIn(text: string): { readonly flags: readonly string[]; readonly variables: readonly string[] } {
  const commands = text.split('\n').filter((line) => line.includes('sotto') || line.includes('`--')).join('\n');
  return { flags: [...new Set(commands.match(/(?<=[`\s(])--[a-z][a-z-]+/g))], variables: [...new Set(text.match(/SOTTO_RELAY_[A-Z_]+/g))] };
}

describe('settings', () => {
  test('in the docs and in deploy/ are all of the program', () => {
    const known = new Set([...NAMES.map(flagOf), ...OWN_FLAGS, '--name', '--relay', '--system', '--home-dir', '--shell']);
    for (const file of ['docs/OPERATING.md', 'deploy/Dockerfile', 'deploy/sotto-relay.service']) {
      const { flags, variables } = settingsIn(read(file));
      expect([file, flags.filter((flag) => !known.has(flag) && !['--from', '--standalone', '--ignore-scripts', '--omit', '--now'].includes(flag))]).toEqual([file, []]);
      const env = Object.fromEntries(variables.map((name) => [name, name.endsWith('PROXY') ? 'true' : '1']));
      expect(() => readConfig({}, env, '/data'), file).not.toThrow();
    }
    expect(settingsIn(read('docs/OPERATING.md')).flags.length).toBeGreaterThan(15);
  });

  test('of deploy/relay.json are read', () => {
    expect(readConfig({ config: join(root, 'deploy/relay.json') }, {}, '/data').config).toMatchObject({ port: 443, tlsCert: '/etc/sotto-relay/relay.crt' });
  });
});

describe('metrics', () => {
  test('in the alerts and on the dashboard are all told by a relay that has worked', async () => {
    const relay = await testRelay({ metrics: { host: '127.0.0.1', port: 0, orAny: false } });
    const [owner, sender, mailbox] = [await TestClient.connect(relay.port, 'collect'), await TestClient.connect(relay.port, 'deposit'), newMailbox()];
    await owner.collect(mailbox);
    await sender.try(put(mailbox, random(10)));
    const told = await (await fetch(`http://127.0.0.1:${relay.metricsPort}/metrics`)).text();
    const { panels } = JSON.parse(read('deploy/dashboard.json')) as { panels: { title: string; targets: { expr: string }[] }[] };
    expect(panels.length).toBeGreaterThan(5);
    const alerts = [...read('deploy/alerts.yml').matchAll(/expr: (.+)$/gm)].map(([, expr]) => expr!);
    expect(alerts.length).toBe(read('deploy/alerts.yml').match(/- alert:/g)!.length);
    for (const expr of [...alerts, ...panels.flatMap(({ targets }) => targets.map((target) => target.expr))]) {
      const names = expr.match(/\b(?:sotto|nodejs|process)_[a-z0-9_]+/g) ?? [];
      if (!expr.startsWith('up{')) expect(names.length, expr).toBeGreaterThan(0);
      for (const name of names) expect(told, `${name} of ${expr}`).toMatch(new RegExp(`^(# TYPE )?${name}[ {]`, 'm'));
      expect([expr, [...expr].filter((letter) => letter === '(').length]).toEqual([expr, [...expr].filter((letter) => letter === ')').length]);
    }
  });

  test.skipIf(spawnSync('promtool', ['--version']).status !== 0)('the alerts are rules to Prometheus', () => {
    execFileSync('promtool', ['check', 'rules', join(root, 'deploy/alerts.yml')]);
  });
});

describe('the container', () => {
  test('copies only what is there, and all that is built', () => {
    const dockerfile = read('deploy/Dockerfile');
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap(([, line]) => line!.split(' ').slice(0, -1));
    expect(sources.filter((source) => !existsSync(join(root, source)))).toEqual([]);
    const { include } = JSON.parse(read('tsconfig.build.json')) as { include: string[] };
    expect(include.filter((folder) => !sources.includes(folder))).toEqual([]);
    expect(dockerfile).toContain('"dist/bin/sotto.js", "relay"');
    expect(SOTTO.endsWith('dist/bin/sotto.js')).toBe(true);
  });
});

describe.skipIf(!hasSystemd)('the unit', () => {
  test('is sound, and exposes little by systemd’s own measure', () => {
    const file = join(temporaryFolder(), 'sotto-relay.service');
    writeFileSync(file, read('deploy/sotto-relay.service').replace('/usr/bin/node', process.execPath));
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
    expect(verified.stderr.split('\n').filter((line) => line.includes('sotto-relay.service'))).toEqual([]);
    const { stdout } = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', file], { encoding: 'utf8' });
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
    process.stdout.write(`Exposure of the unit: ${exposure} of 10\n`);
    expect(exposure).toBeLessThan(EXPOSURE_MAX);
  });
});
