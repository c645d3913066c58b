// Two people on one machine talk with the command, as the README tells them to.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Story, eventually } from '../support/command.js';
import type { Json } from '../support/command.js';
import { freePort } from '../support/port.js';

let story: Story;
let port: number;

beforeEach(async () => {
  story = new Story();
  port = await freePort();
});
afterEach(() => story.end());

const pathOf = (status: Json): unknown => (status['contacts'] as Json[])[0]?.['path'];

/** All bytes of all files of a folder. */
function written(folder: string): Buffer {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Buffer.concat(files.map((entry) => readFileSync(join(entry.parentPath, entry.name))));
}

describe('two people', () => {
  it('invite, accept, talk both ways, go direct and see the same safety number', async () => {
    await story.relay(port);
    const { alice, bob } = await story.acquaint(port);
    const atAlice = story.start(['listen', '--json', '--home', alice]);
    const atBob = story.start(['listen', '--json', '--home', bob]);

    const sent = await story.json(['send', 'Bob', 'hello Bob', '--wait', 'delivered', '--home', alice]);
    expect(sent).toMatchObject({ state: 'delivered' });
    await story.json(['send', 'Alice', 'hello Alice', '--wait', 'delivered', '--home', bob]);
    expect(JSON.parse(await atBob.line((line) => line.includes('hello Bob')))).toMatchObject({ type: 'message', text: 'hello Bob', contact: { name: 'Alice' }, id: sent['id'] });
    expect(JSON.parse(await atAlice.line((line) => line.includes('hello Alice')))).toMatchObject({ type: 'message', text: 'hello Alice', contact: { name: 'Bob' } });

    for (const home of [alice, bob]) expect(pathOf(await eventually(() => story.json(['status', '--home', home]), (status) => pathOf(status) === 'direct'))).toBe('direct');
    expect(await story.json(['send', 'Bob', 'by the direct path', '--wait', 'delivered', '--home', alice])).toMatchObject({ state: 'delivered', path: 'direct' });

    const [here, there] = [await story.json(['verify', 'Bob', '--home', alice]), await story.json(['verify', 'Alice', '--home', bob])];
    expect(here['number']).toMatch(/^[\d ]{60,}$/);
    expect(here['number']).toBe(there['number']);
    await atBob.line((line) => line.includes('by the direct path'));
    expect(atBob.texts()).toEqual(['hello Bob', 'by the direct path']);
    expect(atAlice.texts()).toEqual(['hello Alice']);
  });

  it('reach somebody who is away: A ends at `accepted`, B shows it once later, A learns `delivered` when started again', async () => {
    await story.relay(port);
    const { alice, bob } = await story.acquaint(port);
    expect(await story.json(['send', 'Bob', 'for later', '--wait', 'accepted', '--home', alice])).toMatchObject({ state: 'accepted', path: 'relay' });

    const first = story.start(['listen', '--json', '--home', bob]);
    await first.line((line) => line.includes('for later'));
    await first.kill('SIGTERM');
    const second = story.start(['listen', '--json', '--home', bob]);
    const back = story.start(['listen', '--json', '--home', alice]);
    await eventually(async () => (await story.json(['history', 'Bob', '--home', alice]))['messages'] as Json[], (messages) => messages[0]?.['state'] === 'delivered');
    await back.kill('SIGTERM');
    expect(first.texts()).toEqual(['for later']);
    expect(second.texts()).toEqual([]);
  });

  it('go back to the relay when the other side has gone, and lose nothing', async () => {
    await story.relay(port);
    const { alice, bob } = await story.acquaint(port);
    story.start(['listen', '--json', '--home', alice]);
    const atBob = story.start(['listen', '--json', '--home', bob]);
    await eventually(() => story.json(['status', '--home', alice]), (status) => pathOf(status) === 'direct');
    await atBob.kill();
    expect(await story.json(['send', 'Bob', 'sent into the silence', '--wait', 'accepted', '--home', alice])).toMatchObject({ state: 'accepted', path: 'relay' });
    const again = story.start(['listen', '--json', '--home', bob]);
    await again.line((line) => line.includes('sent into the silence'));
    expect(again.texts()).toEqual(['sent into the silence']);
  });

  it('leave nothing readable on the relay, in its logs or in the homes', async () => {
    const relay = await story.relay(port);
    const { alice, bob } = await story.acquaint(port);
    await story.json(['send', 'Bob', 'a plain secret', '--home', alice]);
    const status = await story.json(['status', '--home', alice]);
    const id = String((status['identity'] as Json)['id']);
    const atRelay = Buffer.concat([written(join(story.folder, 'relay')), Buffer.from(relay.lines.join('\n') + relay.err)]);
    // No word of three letters: in a file of random bytes it is there by chance one time in a hundred.
    const secrets = ['a plain secret', 'Alice', 'candidate:', 'ice-ufrag', id, Buffer.from(id, 'hex')];
    expect(secrets.filter((secret) => atRelay.includes(secret))).toEqual([]);
    for (const home of [alice, bob]) expect(['a plain secret', 'Alice'].filter((secret) => written(home).includes(secret))).toEqual([]);
  });
});
