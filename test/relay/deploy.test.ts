// What an operator copies out of deploy/ and docs/OPERATING.md fits the program: settings exist, metrics exist, the unit is sound.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { ready } from '../../crypto/sodium.js';
import { readConfig } from '../../relay/config.js';
import { flagOf, NAMES } from '../../relay/settings.js';
import { SOTTO } from '../support/command.js';
import { freePort } from '../support/port.js';
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
    const known = new Set([...NAMES.map(flagOf), ...OWN_FLAGS, '--name', '--relay', '--system', '--home-dir', '--shell', '--global', '--network']);
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
  test('in the alerts and on the dashboard are all told by a relay that has worked, and all of ours are on the dashboard', async () => {
    const relay = await testRelay({ metrics: { host: '127.0.0.1', port: 0, orAny: false } });
    const [owner, sender, mailbox] = [await TestClient.connect(relay.port, 'collect'), await TestClient.connect(relay.port, 'deposit'), newMailbox()];
    await owner.collect(mailbox);
    await sender.try(put(mailbox, random(10)));
    const told = await (await fetch(`http://127.0.0.1:${relay.metricsPort}/metrics`)).text();
    const { panels } = JSON.parse(read('deploy/dashboard.json')) as { panels: { title: string; targets: { expr: string }[] }[] };
    expect(panels.length).toBeGreaterThan(5);
    const alerts = [...read('deploy/alerts.yml').matchAll(/expr: (.+)$/gm)].map(([, expr]) => expr!);
    expect(alerts.length).toBe(read('deploy/alerts.yml').match(/- alert:/g)!.length);
    const shown = panels.flatMap(({ targets }) => targets.map((target) => target.expr));
    for (const [, name] of told.matchAll(/^# TYPE (sotto_\w+) /gm)) expect(shown.some((expr) => new RegExp(`\\b${name}(_bucket)?\\b`).test(expr)), `${name} on the dashboard`).toBe(true);
    for (const expr of [...alerts, ...shown]) {
      const names = expr.match(/\b(?:sotto|nodejs|process)_[a-z0-9_]+/g) ?? [];
      if (!expr.startsWith('up{')) expect(names.length, expr).toBeGreaterThan(0);
      for (const name of names) expect(told, `${name} of ${expr}`).toMatch(new RegExp(`^${name}[ {]|^# TYPE ${name} (?!histogram)`, 'm'));
      expect([expr, [...expr].filter((letter) => letter === '(').length]).toEqual([expr, [...expr].filter((letter) => letter === ')').length]);
    }
  });

  describe.skipIf(spawnSync('promtool', ['--version']).status !== 0)('by Prometheus’s own test', () => {
    /** What each alert needs to be seen, a value a minute. */
    const illnesses: readonly (readonly [alert: string, series: string, values: string])[] = [
      ['SottoRelayDown', 'up{job="sotto-relay"}', '0x60'],
      ['SottoRelayShort', 'sotto_short_of_memory', '1x60'],
      ['SottoDiskLow', 'sotto_disk_free_bytes', '1e9x60'],
      ['SottoStoreFails', 'sotto_operations_total{operation="put",outcome="relay-failed"}', '0+1x60'],
      ['SottoLoopSlow', 'nodejs_eventloop_lag_p99_seconds', '0.7x60'],
      ['SottoCertificateEnds', 'sotto_certificate_end_seconds', '604800x60'],
      ['SottoFull', 'sotto_refused_total{code="http-503"}', '0+60x60'],
      ['SottoStoreSlow', 'sotto_group_seconds_bucket{le="0.5"}', '0+1x60'],
    ];
    const beside = [{ series: 'sotto_group_seconds_bucket{le="5"}', values: '0+100x60' }, { series: 'sotto_group_seconds_bucket{le="+Inf"}', values: '0+100x60' }];
    const well = [
      ['up{job="sotto-relay"}', '1x60'], ['sotto_short_of_disk', '0x60'], ['sotto_short_of_memory', '0x60'], ['sotto_disk_free_bytes', '1e11x60'],
      ['sotto_operations_total{operation="put",outcome="relay-failed"}', '3x60'], ['sotto_operations_total{operation="put",outcome="mailbox-full"}', '0+9x60'],
      ['sotto_group_seconds_bucket{le="0.01"}', '0+100x60'], ['sotto_group_seconds_bucket{le="+Inf"}', '0+100x60'], ['nodejs_eventloop_lag_p99_seconds', '0.02x60'],
      ['sotto_certificate_end_seconds', '0x60'], ['sotto_refused_total{code="http-503"}', '7x60'],
    ].map(([series, values]) => ({ series, values }));

    function seen(series: readonly unknown[], expected: readonly string[]): string {
      const file = join(temporaryFolder(), 'alerts.test.yml');
      const rules = [...read('deploy/alerts.yml').matchAll(/alert: (\w+)\n[^]*?summary: "([^"]+)"/g)].map(([, alert, summary]) => ({ alert: alert!, summary: summary! }));
      const severity = (alert: string) => /severity: (\w+)/.exec(read('deploy/alerts.yml').split(`alert: ${alert}\n`)[1]!)![1];
      const labels = (alert: string) => ({ severity: severity(alert), ...alert === 'SottoRelayDown' && { job: 'sotto-relay' }, ...alert === 'SottoStoreFails' && { operation: 'put', outcome: 'relay-failed' }, ...alert === 'SottoFull' && { code: 'http-503' } });
      const tests = [{
        interval: '1m', input_series: series, alert_rule_test: rules.map(({ alert, summary }) => ({
          eval_time: '30m', alertname: alert, exp_alerts: expected.includes(alert) ? [{ exp_labels: labels(alert), exp_annotations: { summary } }] : [],
        })),
      }];
      // JSON is YAML.
      writeFileSync(file, JSON.stringify({ rule_files: [join(root, 'deploy/alerts.yml')], evaluation_interval: '1m', tests }));
      const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
      return status === 0 ? '' : stdout + stderr;
    }

    test('the alerts are rules, and all of them are tried here', () => {
      execFileSync('promtool', ['check', 'rules', join(root, 'deploy/alerts.yml')]);
      expect(illnesses.map(([alert]) => alert).toSorted()).toEqual([...read('deploy/alerts.yml').matchAll(/alert: (\w+)/g)].map(([, alert]) => alert).toSorted());
    });

    test('a relay that is well raises none of them', () => {
      expect(seen(well, [])).toBe('');
    });

    test.each(illnesses)('%s is raised by what it is for, and alone', (alert, series, values) => {
      expect(seen([{ series, values }, ...alert === 'SottoStoreSlow' ? beside : []], [alert])).toBe('');
    });
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

test('the container is found healthy while its relay answers, and not when it does not', async () => {
  const [program, ...args] = JSON.parse(/^HEALTHCHECK .*CMD (.+)$/m.exec(read('deploy/Dockerfile'))![1]!) as [string, ...string[]];
  const relay = await testRelay();
  // The relay of this test answers in this process, so that it must not be held up.
  const health = async (port: number): Promise<number | null> => {
    const [code] = await once(spawn(program, args, { env: { ...process.env, SOTTO_RELAY_PORT: String(port) }, stdio: 'ignore' }), 'exit') as [number | null];
    return code;
  };
  expect([await health(relay.port), await health(await freePort())]).toEqual([0, 1]);
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
