// When a link takes its connection for lost, and when it dials again.

import { describe, expect, test, vi } from 'vitest';
import { startScriptedRelay } from '../../support/scripted-relay.js';
import { code, ENVELOPE, MAILBOX, newBench, pass, until } from './bench.js';

const bench = newBench();

/** Moves the links' clock to the next attempt, and tells how far that was. */
function passToNext(): number {
  const before = Date.now();
  vi.advanceTimersToNextTimer();
  return Date.now() - before;
}

describe('a link that is lost', () => {
  test('comes back to a relay that was away', async () => {
    const port = Number(new URL(bench.relay.url).port);
    const heard = bench.open('collect');
    await bench.online(heard);
    await bench.relay.close();
    await until(() => bench.failures === 1);
    passToNext();
    await until(() => bench.failures === 2);
    bench.relay = await startScriptedRelay(port);
    passToNext();
    await bench.online(heard);
    expect(heard.states.map((state) => state.online)).toEqual([true, false, false, true]);
    await heard.link.collect(MAILBOX);
  });

  test('pings after 25 quiet seconds, and takes a relay that does not answer for gone', async () => {
    const heard = bench.open('collect');
    const caller = await bench.online(heard);
    pass(24_999);
    pass(1);
    await until(() => caller.pings === 2 && heard.states.length === 2);
    bench.relay.script.ping = () => {};
    pass(25_000);
    await until(() => caller.pings === 3);
    pass(9_999);
    expect(heard.states.at(-1)?.online).toBe(true);
    pass(1);
    await until(() => heard.states.at(-1)?.online === false);
    expect(heard.states.at(-1)).toEqual({ online: false, reason: 'does not answer' });
  });

  test('takes a relay for broken that answers everything but one request', async () => {
    const heard = bench.open('deposit');
    const caller = await bench.online(heard);
    bench.relay.script.request = (_, { request }) => {
      if (request > 2) caller.say(request, { case: 'done', value: {} });
    };
    const forgotten = code(heard.link.put(MAILBOX, ENVELOPE, 60));
    await until(() => caller.requests.length === 1);
    for (let second = 1; second < 60; second += 1) {
      pass(1_000);
      await heard.link.put(MAILBOX, ENVELOPE, 60);
    }
    pass(1_000);
    expect(await forgotten).toBe('relay-unreachable');
  });

  test('gives up a relay that accepts and says nothing', async () => {
    bench.relay.script.greet = () => {};
    const heard = bench.open('deposit');
    await until(() => bench.relay.callers.length === 1);
    pass(10_000);
    await until(() => heard.states.length === 1);
    expect(heard.states).toEqual([{ online: false, reason: 'does not answer' }]);
  });

  test('waits twice as long after each failure, at most 5 s while an outage is young and a minute when it is old, and starts anew once a connection lived', async () => {
    const honest = bench.relay.script.greet;
    bench.relay.script.greet = ({ socket }) => socket.terminate();
    const heard = bench.open('deposit');
    const waits: number[] = [];
    const wait = async (): Promise<number> => {
      await until(() => bench.failures === waits.length + 1);
      return waits.push(passToNext());
    };
    while (waits.length < 7) await wait();
    expect(waits).toEqual([250, 500, 1_000, 2_000, 2_500, 2_500, 2_500]);
    // The random part is a half here: of a sixtieth of ten minutes, then of a minute.
    for (const [outageMs, waitMs] of [[600_000, 5_000], [7_200_000, 30_000]] as const) {
      await until(() => bench.failures === waits.length + 1);
      vi.setSystemTime(Date.now() + outageMs);
      await wait();
      await wait();
      expect(Math.round(waits.at(-1)! / 1_000) * 1_000).toBe(waitMs);
    }
    bench.relay.script.greet = honest;
    const brief = await bench.online(heard);
    brief.socket.terminate();
    await until(() => bench.failures === waits.length + 1);
    expect(passToNext()).toBe(30_000);
    const lasting = await bench.online(heard);
    pass(5_000);
    lasting.socket.terminate();
    await until(() => bench.failures === waits.length + 2);
    expect(passToNext()).toBe(250);
  });

  test('tries at once when somebody waits, and says when the attempt is over', async () => {
    const port = Number(new URL(bench.relay.url).port);
    await bench.relay.close();
    const heard = bench.open('deposit', `http://127.0.0.1:${port}`);
    await until(() => bench.failures === 1);
    await heard.link.retry();
    expect(bench.failures).toBe(2);
    bench.relay = await startScriptedRelay(port);
    await Promise.all([heard.link.retry(), heard.link.retry()]);
    expect(heard.states.at(-1)?.online).toBe(true);
    expect(bench.relay.callers).toHaveLength(1);
    await heard.link.retry();
    expect(bench.relay.callers).toHaveLength(1);
  });

  test('lets nobody shorten the pause that a relay has asked for', async () => {
    const heard = bench.open('deposit');
    const caller = await bench.online(heard);
    caller.say(0, { case: 'goodbye', value: { code: 'relay-busy', reconnectAfterMs: 1_000 } });
    await until(() => heard.states.at(-1)?.online === false);
    await heard.link.retry();
    expect(bench.relay.callers).toHaveLength(1);
    pass(1_000);
    await until(() => bench.relay.callers.length === 2);
  });

  test('waits as long as a Goodbye asks, but not for ever', async () => {
    const heard = bench.open('deposit');
    const caller = await bench.online(heard);
    caller.say(0, { case: 'goodbye', value: { code: 'relay-busy', reconnectAfterMs: 4_000_000_000 } });
    await until(() => heard.states.at(-1)?.online === false);
    expect(heard.states.at(-1)).toEqual({ online: false, reason: 'relay-busy' });
    pass(59_999);
    expect(bench.relay.callers).toHaveLength(1);
    pass(1);
    await until(() => bench.relay.callers.length === 2);
  });

  test('comes back to a relay that restarts at its own moment of the time that the relay gives', async () => {
    const heard = bench.open('deposit');
    const caller = await bench.online(heard);
    caller.say(0, { case: 'goodbye', value: { code: 'relay-closing', reconnectAfterMs: 2_000, reconnectWithinMs: 10_000 } });
    await until(() => heard.states.at(-1)?.online === false);
    // Chance is a half here.
    pass(6_999);
    expect(bench.relay.callers).toHaveLength(1);
    pass(1);
    await until(() => bench.relay.callers.length === 2);
  });

  test('dials at once when the network has changed, whether it was online, dialling or waiting', async () => {
    const heard = bench.open('deposit');
    await bench.online(heard);
    bench.relay.script.request = () => {};
    const put = code(heard.link.put(MAILBOX, ENVELOPE, 60));
    heard.link.hurry();
    expect(heard.states.at(-1)?.online).toBe(true);
    expect(await put).toBe('relay-unreachable');
    expect(heard.states.at(-1)).toEqual({ online: false, reason: 'the network has changed' });
    heard.link.hurry();
    const caller = await bench.online(heard);
    caller.socket.terminate();
    await until(() => bench.failures === 1);
    heard.link.hurry();
    await bench.online(heard);
    expect(bench.failures).toBe(1);
  });

  test('stays offline, without an exception, where the address is none', async () => {
    const heard = bench.open('deposit', 'gopher://relay.example');
    await until(() => heard.states.length === 1);
    expect(heard.states[0]?.online).toBe(false);
  });
});
