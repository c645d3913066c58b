// A thread of the TURN server fails, in the middle of a relay's work or before it, as a bug would have it. The operator reads one sentence,
// clients are told, and what was accepted is there afterwards.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { ready } from '../../crypto/sodium.js';
import { Story } from '../support/command.js';
import { acknowledge, newMailbox, put, random, TestClient } from './support.js';

const story = new Story();
beforeAll(ready);
afterAll(() => story.end());

const ENVELOPES = 40;

/** They outlive a minute of waiting. */
const HOUR_SECONDS = 3_600;

/** What is loaded into every thread of the relay, and does something in those of the TURN server. */
function inThreads(what: string): NodeJS.ProcessEnv {
  const program = `import { isMainThread, parentPort } from 'node:worker_threads'; if (!isMainThread) ${what};`;
  return { NODE_OPTIONS: `--import data:text/javascript;base64,${Buffer.from(program).toString('base64')}` };
}

/** Ways to fail. The words name an address, as those of the system do. */
const WAYS = [
  ['throws', `throw new TypeError('send EINVAL 192.0.2.7:9')`, /TypeError/],
  ['ends by itself', 'process.exit(0)', /it ended by itself/],
  ['hangs', 'for (;;);', /it does not answer/],
  ['leaves a promise to nobody', `void Promise.reject(Object.assign(new Error('192.0.2.7'), { code: 'EMFILE' }))`, /EMFILE/],
] as const;

test.each(WAYS)('a relay one of whose TURN threads %s ends with a sentence and 1, says goodbye, and has what it accepted', async (name, how, why) => {
  const relay = ['relay', '--port', '0', '--stun-port', '0', '--turn-workers', '2', '--data', story.home(name), '--json'];
  const broken = story.start(relay, inThreads(`parentPort.on('message', ({ kind }) => { if (kind === 'went') ${how}; })`));
  const { port } = JSON.parse(await broken.line((line) => line.includes('listening'))) as { port: number };
  const [owner, sender, guest] = [await TestClient.connect(port, 'collect'), await TestClient.connect(port, 'deposit'), await TestClient.connect(port, 'deposit')];
  const mailbox = newMailbox();
  expect(await owner.collect(mailbox)).toBe('done');
  const accepted: string[] = [];
  const write = async (): Promise<void> => {
    // Until it is gone, or the mailbox full: a thread that hangs is waited for.
    for (let outcome = 'done'; outcome === 'done';) {
      const envelope = random(500);
      outcome = await sender.try(put(mailbox, envelope, HOUR_SECONDS));
      if (outcome === 'done') accepted.push(toHex(envelope));
    }
  };
  const writing = write().catch((error: Error) => expect(error.message).toBe('closed'));
  await owner.deliveries(ENVELOPES);
  guest.socket.close();
  await writing;
  expect([await owner.closed, await sender.closed]).toEqual(['relay-closing', 'relay-closing']);

  const { code, err } = await broken.finished();
  const [, told] = broken.events();
  expect(code).toBe(1);
  expect(told).toMatchObject({ error: { code: 'internal', message: expect.stringMatching(/^A thread of the TURN server has failed \(.*\), so the relay has ended; what it accepted is kept\. Start it again/) } });
  expect(JSON.stringify(told)).toMatch(why);
  expect(`${err}${JSON.stringify(told)}`).not.toContain('192.0.2.7');

  const healed = story.start(relay);
  const again = JSON.parse(await healed.line((line) => line.includes('listening'))) as { port: number };
  const collector = await TestClient.connect(again.port, 'collect');
  expect(await collector.collect(mailbox)).toBe('done');
  const kept = new Set<string>();
  while (accepted.some((id) => !kept.has(id))) {
    const [delivery] = await collector.deliveries(1);
    kept.add(toHex(delivery!.envelope));
    await collector.try(acknowledge(mailbox, delivery!.sequence));
  }
  expect(accepted.length).toBeGreaterThanOrEqual(ENVELOPES);
  await healed.kill('SIGTERM');
});

test.each([['end at once', 'process.exit(0)'], ['throw', `(() => { throw new TypeError('192.0.2.7'); })()`]])('a relay whose TURN threads %s as they start ends with a sentence, and with 1', async (_, how) => {
  const { code, out, err } = await story.start(['relay', '--port', '0', '--stun-port', '0', '--turn-workers', '1', '--data', story.home('never')], inThreads(how)).finished();
  expect([code, out, err]).toEqual([1, '', expect.stringMatching(/^sotto: A thread of the TURN server has failed \(.*\).*\n$/)]);
  expect(err).not.toContain('192.0.2.7');
});
