// What a link says to a relay that keeps the contract, and what it makes of the answers.

import { describe, expect, test } from 'vitest';
import { concat, fromHex } from '../../../crypto/bytes.js';
import { hash } from '../../../crypto/hash.js';
import { publicKeyOf, verify } from '../../../crypto/signature.js';
import { CHALLENGE } from '../../support/scripted-relay.js';
import { code, ENVELOPE, MAILBOX, newBench, pass, until } from './bench.js';

const bench = newBench();

describe('a link', () => {
  test('is online when the relay has greeted it and answered a ping', async () => {
    const { ping } = bench.relay.script;
    const held: (() => void)[] = [];
    bench.relay.script.ping = (caller, request) => held.push(() => ping(caller, request));
    const heard = bench.open('deposit');
    await until(() => held.length === 1);
    expect(heard.states).toEqual([]);
    expect(await code(heard.link.put(MAILBOX, ENVELOPE, 60))).toBe('relay-unreachable');
    pass(30);
    held[0]?.();
    await bench.online(heard);
    expect(heard.states).toEqual([{ online: true, rttMs: 30, stunPort: 3478, stunOtherPort: 0 }]);
    expect(bench.relay.callers[0]?.path).toBe('/v1/deposit');
  });

  test('proves that a mailbox is ours with a signature over the challenge of this connection', async () => {
    const heard = bench.open('collect');
    const caller = await bench.online(heard);
    await heard.link.collect(MAILBOX);
    const body = caller.requests[0]?.body;
    if (body?.case !== 'collect') throw new Error('no Collect came');
    expect(body.value.owner).toEqual(Buffer.from(publicKeyOf(MAILBOX.ownerSeed)));
    expect(body.value.tokenHash).toEqual(Buffer.from(hash('token', MAILBOX.token)));
    const signed = concat(CHALLENGE, fromHex(MAILBOX.mailbox), hash('token', MAILBOX.token));
    expect(verify(publicKeyOf(MAILBOX.ownerSeed), 'collect', signed, body.value.signature)).toBe(true);
    expect(caller.path).toBe('/v1/collect');
  });

  test('says everything else of the contract as it is meant', async () => {
    const collecting = bench.open('collect');
    const collector = await bench.online(collecting);
    await collecting.link.acknowledge(MAILBOX.mailbox, Array.from({ length: 1_001 }, (_, at) => at + 1));
    await collecting.link.closeMailbox(MAILBOX.mailbox);
    await collecting.link.putCard(new Uint8Array(16), Uint8Array.of(5), false, 60);
    expect(collector.requests.map(({ body }) => body.case)).toEqual(['acknowledge', 'acknowledge', 'close', 'putCard']);
    const depositing = bench.open('deposit');
    const depositor = await bench.online(depositing);
    bench.relay.script.request = (caller, { request, body }) =>
      caller.say(request, body.case === 'takeCard' ? { case: 'card', value: { card: Uint8Array.of(6) } } : { case: 'done', value: {} });
    await depositing.link.put(MAILBOX, ENVELOPE, 60);
    expect(depositor.requests[0]?.body.value).toMatchObject({ mailbox: Buffer.from(fromHex(MAILBOX.mailbox)), token: Buffer.from(MAILBOX.token), ttlSeconds: 60, envelope: Buffer.from(ENVELOPE) });
    expect(await depositing.link.takeCard(new Uint8Array(16), new Uint8Array(16))).toEqual(Uint8Array.of(6));
  });

  test('hands on what the relay delivers', async () => {
    const heard = bench.open('collect');
    const caller = await bench.online(heard);
    caller.say(0, { case: 'delivery', value: { mailbox: fromHex(MAILBOX.mailbox), sequence: 9n, envelope: ENVELOPE, ageMs: 12n } });
    await until(() => heard.deliveries.length === 1);
    expect(heard.deliveries).toEqual([{ mailbox: MAILBOX.mailbox, sequence: 9, envelope: ENVELOPE, ageMs: 12 }]);
  });

  test.each([
    ['mailbox-full', 'mailbox-full'],
    ['card-taken', 'card-taken'],
    ['a-code-of-tomorrow', 'relay-failed'],
    ['store-damaged', 'relay-failed'],
    ['constructor', 'relay-failed'],
  ])('rejects what is refused with %s as %s', async (said, expected) => {
    const heard = bench.open('deposit');
    await bench.online(heard);
    bench.relay.script.request = (caller, { request }) => caller.say(request, { case: 'refused', value: { code: said } });
    expect(await code(heard.link.put(MAILBOX, ENVELOPE, 60))).toBe(expected);
    expect(await code(heard.link.takeCard(new Uint8Array(16), new Uint8Array(16)))).toBe(expected);
  });

  test('hands on when the relay advises to try again', async () => {
    const heard = bench.open('deposit');
    await bench.online(heard);
    bench.relay.script.request = (caller, { request }) => caller.say(request, { case: 'refused', value: { code: 'mailbox-full', retryAfterSeconds: 90 } });
    await expect(heard.link.put(MAILBOX, ENVELOPE, 60)).rejects.toMatchObject({ code: 'mailbox-full', retryAfterMs: 90_000 });
  });

  test('matches answers to requests by number, in any order', async () => {
    const heard = bench.open('deposit');
    const caller = await bench.online(heard);
    bench.relay.script.request = () => {};
    const codes = ['mailbox-full', 'token-wrong', 'mailbox-unknown'];
    const answers = codes.map(() => code(heard.link.put(MAILBOX, ENVELOPE, 60)));
    await until(() => caller.requests.length === 3);
    for (const at of [2, 0, 1]) caller.say(caller.requests[at]?.request ?? 0, { case: 'refused', value: { code: codes[at] as string } });
    expect(await Promise.all(answers)).toEqual(codes);
  });

  test('has at most 64 requests unanswered, and the rest wait their turn', async () => {
    const heard = bench.open('deposit');
    const caller = await bench.online(heard);
    bench.relay.script.request = () => {};
    const puts = Array.from({ length: 200 }, () => heard.link.put(MAILBOX, ENVELOPE, 60));
    await until(() => caller.requests.length === 64);
    const [first] = caller.requests;
    caller.say(first?.request ?? 0, { case: 'done', value: {} });
    await until(() => caller.requests.length === 65);
    bench.relay.script.request = (_, { request }) => caller.say(request, { case: 'done', value: {} });
    for (const { request } of caller.requests.slice(1)) caller.say(request, { case: 'done', value: {} });
    await Promise.all(puts);
    expect(caller.requests).toHaveLength(200);
  });

  test('refuses more than it can hold instead of growing for ever', async () => {
    const heard = bench.open('deposit');
    await bench.online(heard);
    bench.relay.script.request = () => {};
    const codes = Array.from({ length: 64 + 4_096 + 1 }, () => code(heard.link.put(MAILBOX, ENVELOPE, 60)));
    expect(await codes.at(-1)).toBe('relay-busy');
    heard.link.close();
    expect(new Set((await Promise.all(codes)).slice(0, -1))).toEqual(new Set(['relay-unreachable']));
  });

  test('rejects everything unanswered when the connection goes, and what is asked while it is gone', async () => {
    const heard = bench.open('deposit');
    const caller = await bench.online(heard);
    bench.relay.script.request = () => {};
    const puts = Array.from({ length: 100 }, () => code(heard.link.put(MAILBOX, ENVELOPE, 60)));
    await until(() => caller.requests.length === 64);
    caller.socket.terminate();
    expect(new Set(await Promise.all(puts))).toEqual(new Set(['relay-unreachable']));
    await until(() => heard.states.at(-1)?.online === false);
    expect(await code(heard.link.takeCard(new Uint8Array(16), new Uint8Array(16)))).toBe('relay-unreachable');
    pass(250);
    await until(() => heard.states.at(-1)?.online === true);
  });

  test('says nothing more once it is closed, and closes twice without harm', async () => {
    const heard = bench.open('deposit');
    const caller = await bench.online(heard);
    bench.relay.script.request = () => {};
    const put = code(heard.link.put(MAILBOX, ENVELOPE, 60));
    heard.link.close();
    heard.link.close();
    heard.link.hurry();
    expect(await put).toBe('relay-unreachable');
    expect(await code(heard.link.put(MAILBOX, ENVELOPE, 60))).toBe('relay-unreachable');
    await until(() => caller.socket.readyState === caller.socket.CLOSED);
    expect([heard.states.length, bench.failures, bench.relay.callers.length]).toEqual([1, 0, 1]);
  });

  test('does not tell of a change that its closing overtook', async () => {
    const heard = bench.open('deposit');
    await bench.online(heard);
    heard.link.hurry();
    heard.link.close();
    await Promise.resolve();
    expect(heard.states).toHaveLength(1);
  });

  test('closes while it dials', async () => {
    const heard = bench.open('deposit');
    heard.link.close();
    await bench.relay.close();
    expect([heard.states, bench.failures]).toEqual([[], 0]);
  });
});
