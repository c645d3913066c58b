// `sotto relay doctor`: looks at a relay as its clients do, and where it runs on this machine also from inside. Each finding says
// what to do. It leaves nothing behind: the mailbox that it makes is closed again.

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';
import { concat, equal } from '../crypto/bytes.js';
import { hash } from '../crypto/hash.js';
import { publicKeyOf, sign } from '../crypto/signature.js';
import { ready } from '../crypto/sodium.js';
import { freeBytes } from './guard.js';
import { ownerOfFolder } from './stores/upkeep.js';
import { decodeRelayFrame, encodeClientFrame, type RelayBody } from './wire/frame.js';
import { COLLECT_LABEL, COLLECT_PATH, DEPOSIT_PATH, WIRE_VERSION } from './wire/limits.js';
import type { Welcome } from './wire/relay_pb.js';

/** What one look has shown. `unknown` is for what cannot be seen from here. */
export interface Finding {
  readonly what: string;
  readonly state: 'good' | 'bad' | 'unknown';
  /** What was seen, and what to do where it is bad. */
  readonly sentence: string;
}

export interface Patient {
  /** http(s) URL as clients have it. */
  readonly url: string;
  /** The relay's data folder, looked at where a relay of this machine uses it. */
  readonly data: string;
  readonly connections: number;
  readonly diskReserve: number;
}

/** How long any one answer may take. */
const ANSWER_MAX_MS = 5_000;

/** A certificate that is not renewed by then will not renew itself. */
const CERTIFICATE_DAYS_MIN = 14;

/** Difference of clocks from which on lives of envelopes are wrong by more than nobody notices. */
const CLOCK_MAX_MS = 60_000;

/** Where a TURN server is whose URL names no port (RFC 7065). */
const STUN_PORT = 3_478;

/** Files that a relay has open beside its connections. */
const FILES_BESIDE = 64;

const DAY_MS = 24 * 3_600_000;
const MIB = 1024 * 1024;

/** A request of STUN or TURN and the answer that shows a server (RFC 8489 §5, RFC 8656 §7), and the magic cookie of both. */
interface Question {
  readonly type: number;
  readonly attributes: Buffer;
  readonly answer: number;
}
const BINDING: Question = { type: 0x0001, attributes: Buffer.alloc(0), answer: 0x0101 };
/** With REQUESTED-TRANSPORT UDP and no credential, which is refused: an allocation would be more than a look. */
const ALLOCATE: Question = { type: 0x0003, attributes: Buffer.from('0019000411000000', 'hex'), answer: 0x0113 };
const MAGIC_COOKIE = 0x2112_a442;

/** Looks at everything, one after the other, and never throws. */
export async function examine(patient: Patient): Promise<readonly Finding[]> {
  await ready();
  const url = new URL(patient.url);
  const findings: Finding[] = [];
  const look = async (what: string, advice: string, see: () => Promise<Finding['sentence'] | Finding>): Promise<void> => {
    try {
      const seen = await see();
      findings.push(typeof seen === 'string' ? { what, state: 'good', sentence: seen } : seen);
    } catch (error) {
      findings.push({ what, state: 'bad', sentence: `${error instanceof Error ? error.message : String(error)}. ${advice}` });
    }
  };
  let stunPort = 0;
  await look('name', 'Let the DNS name point to this relay, or give its address.', () => seeName(url));
  await look('HTTP', 'Start the relay, open its TCP port in the firewall, and let a proxy in front pass it on.', () => seeHttp(url));
  await look('clock', 'Let the machine set its clock by NTP.', () => seeClock(url));
  if (url.protocol === 'https:') await look('certificate', 'Renew it, and give --tls-cert the whole chain.', () => seeCertificate(url));
  await look('WebSocket', 'Let a proxy in front pass on upgrades to WebSocket, and the paths /v1/collect and /v1/deposit.', async () => {
    const welcome = await seeWebSocket(url);
    stunPort = welcome.stunPort;
    return `The relay greets with version ${welcome.version} of the contract.`;
  });
  await look('mailbox', 'Look at the relay’s log and at "sotto relay inspect".', () => seeMailbox(url));
  if (stunPort !== 0) {
    await look('STUN', `Open UDP port ${stunPort} in the firewall.`, () => seeStun(url.hostname, stunPort, BINDING));
    await look('TURN', `Open UDP port ${stunPort} in the firewall, and those of --turn-workers and --turn-ports.`, () => seeTurn(url));
  }
  await look('disk', 'Give the disk more room, or lower --store-bytes and --envelope-seconds.', () => seeDisk(patient));
  await look('open files', 'Raise LimitNOFILE of the service, or lower --connections.', () => seeFiles(patient));
  return findings;
}

async function seeName({ hostname }: URL): Promise<string> {
  const addresses = await lookup(hostname.replaceAll(/[[\]]/g, ''), { all: true });
  return `${hostname} is ${addresses.map(({ address }) => address).join(', ')}.`;
}

async function seeHttp(url: URL): Promise<string> {
  const since = performance.now();
  const response = await fetch(new URL('/ready', url), { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
  const { problems = [] } = await response.json() as { readonly problems?: readonly string[] };
  if (!response.ok) throw new Error(`The relay answers that it takes nothing new: ${problems.join(', ')}`);
  return `The relay is ready, and answers in ${Math.round(performance.now() - since)} ms.`;
}

async function seeClock(url: URL): Promise<string> {
  const response = await fetch(new URL('/health', url), { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
  const difference = Date.parse(response.headers.get('date') ?? '') - Date.now();
  if (Number.isNaN(difference)) throw new Error('The answer has no date');
  if (Math.abs(difference) > CLOCK_MAX_MS) throw new Error(`The relay's clock and this one differ by ${Math.round(difference / 1_000)} s`);
  return 'The relay’s clock and this one agree.';
}

async function seeCertificate({ hostname, port }: URL): Promise<string> {
  const socket = connectTls({ host: hostname, servername: hostname, port: Number(port || 443), rejectUnauthorized: false, timeout: ANSWER_MAX_MS });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
    if (!socket.authorized) throw new Error(`Clients refuse the certificate (${String(socket.authorizationError)})`);
    const days = Math.floor((Date.parse(socket.getPeerCertificate().valid_to) - Date.now()) / DAY_MS);
    if (days < CERTIFICATE_DAYS_MIN) throw new Error(`The certificate ends in ${days} days`);
    return `The certificate is for ${hostname} and ends in ${days} days.`;
  } finally {
    socket.destroy();
  }
}

async function seeWebSocket(url: URL): Promise<Welcome> {
  const [collecting, depositing] = [new Line(url, COLLECT_PATH), new Line(url, DEPOSIT_PATH)];
  try {
    await depositing.welcome;
    const welcome = await collecting.welcome;
    if (welcome.version !== WIRE_VERSION) throw new Error(`The relay speaks version ${welcome.version} of the contract, and this Sotto version ${WIRE_VERSION}`);
    return welcome;
  } finally {
    collecting.close();
    depositing.close();
  }
}

/** An envelope all the way: put, kept, delivered, acknowledged. */
async function seeMailbox(url: URL): Promise<string | Finding> {
  const [owner, sender] = [new Line(url, COLLECT_PATH), new Line(url, DEPOSIT_PATH)];
  try {
    const [seed, token, mailbox, envelope] = [randomBytes(32), randomBytes(16), randomBytes(16), randomBytes(256)];
    const tokenHash = hash('token', token);
    const signature = sign(seed, COLLECT_LABEL, concat((await owner.welcome).challenge, mailbox, tokenHash));
    const collected = await owner.try({ case: 'collect', value: { mailbox, owner: publicKeyOf(seed), tokenHash, signature } });
    if (collected === 'admission-required' || collected === 'work-required') return { what: 'mailbox', state: 'unknown', sentence: 'The relay makes mailboxes only on terms, so none was tried.' };
    if (collected !== 'done') throw new Error(`The relay makes no mailbox (${collected})`);
    await sender.welcome;
    const since = performance.now();
    const put = await sender.try({ case: 'put', value: { mailbox, token, ttlSeconds: 60, envelope } });
    if (put !== 'done') throw new Error(`The relay keeps no envelope (${put})`);
    const keptMs = Math.round(performance.now() - since);
    if (!equal(await owner.delivery, envelope)) throw new Error('The relay delivered something else than was put');
    await owner.ask({ case: 'close', value: { mailbox } });
    return `An envelope was kept in ${keptMs} ms and delivered.`;
  } finally {
    owner.close();
    sender.close();
  }
}

/** The first server that the relay names to its clients, be it its own or another. */
async function seeTurn(url: URL): Promise<string | Finding> {
  const line = new Line(url, DEPOSIT_PATH);
  try {
    await line.welcome;
    const answer = await line.ask({ case: 'askTurn', value: {} });
    const [, host, port] = (answer.case === 'turn' && /^turn:(\[[^\]]+\]|[^:?]+):?(\d*)/.exec(answer.value.urls[0] ?? '')) || [];
    if (host === undefined) return { what: 'TURN', state: 'unknown', sentence: 'The relay names no TURN server.' };
    return await seeStun(host, Number(port || STUN_PORT), ALLOCATE);
  } finally {
    line.close();
  }
}

/** Asks a server over UDP. */
async function seeStun(host: string, port: number, { type, attributes, answer: expected }: Question): Promise<string> {
  const { address, family } = await lookup(host.replaceAll(/[[\]]/g, ''));
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  const request = Buffer.concat([Buffer.alloc(8), randomBytes(12), attributes]);
  request.writeUInt16BE(type, 0);
  request.writeUInt16BE(attributes.length, 2);
  request.writeUInt32BE(MAGIC_COOKIE, 4);
  // Datagrams get lost.
  const sending = setInterval(() => socket.send(request, port, address, () => {}), ANSWER_MAX_MS / 10);
  try {
    const [answer] = await once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_MAX_MS) }) as [Buffer];
    if (answer.readUInt16BE() !== expected || !answer.subarray(8, 20).equals(request.subarray(8, 20))) throw new Error(`What answers at UDP port ${port} is no such server`);
    return `A server answers at UDP port ${port} of ${host}.`;
  } catch (error) {
    throw error instanceof Error && error.name === 'AbortError' ? new Error(`Nothing answers at UDP port ${port} of ${host}`) : error;
  } finally {
    clearInterval(sending);
    socket.close();
  }
}

async function seeDisk({ data, diskReserve }: Patient): Promise<string | Finding> {
  if (await localOwner(data) === null) return elsewhere('disk');
  const free = await freeBytes(data);
  if (free < 2 * diskReserve) throw new Error(`The disk of ${data} has ${Math.round(free / MIB)} MiB left, and at ${Math.round(diskReserve / MIB)} the relay takes nothing new`);
  return `The disk of ${data} has ${Math.round(free / MIB)} MiB left.`;
}

async function seeFiles({ data, connections }: Patient): Promise<string | Finding> {
  const owner = await localOwner(data);
  const limits = owner === null ? '' : readFileSync(`/proc/${owner}/limits`, 'utf8');
  const files = Number(/Max open files\s+(\d+)/.exec(limits)?.[1]);
  if (Number.isNaN(files)) return elsewhere('open files');
  if (files < connections + FILES_BESIDE) throw new Error(`The relay may open ${files} files, and takes ${connections} connections`);
  return `The relay may open ${files} files.`;
}

/** The process of a relay of this machine; null if there is none, or it cannot be seen. */
async function localOwner(data: string): Promise<number | null> {
  return ownerOfFolder(data).catch(() => null);
}

function elsewhere(what: string): Finding {
  return { what, state: 'unknown', sentence: 'No relay of this machine uses --data, so this was not looked at.' };
}

/** A connection that waits for nothing longer than ANSWER_MAX_MS. */
class Line {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (body: RelayBody) => void>();
  readonly welcome: Promise<Welcome>;
  readonly delivery: Promise<Uint8Array>;
  readonly #ended: Promise<never>;
  #last = 0;
  #onWelcome: (welcome: Welcome) => void = () => {};
  #onDelivery: (envelope: Uint8Array) => void = () => {};
  #onEnd: (error: Error) => void = () => {};

  constructor(url: URL, path: string) {
    this.#socket = new WebSocket(new URL(path, url.href.replace(/^http/, 'ws')), { perMessageDeflate: false, handshakeTimeout: ANSWER_MAX_MS });
    this.#ended = new Promise((_, reject) => { this.#onEnd = reject; });
    this.welcome = Promise.race([new Promise<Welcome>((resolve) => { this.#onWelcome = resolve; }), this.#ended]);
    this.delivery = Promise.race([new Promise<Uint8Array>((resolve) => { this.#onDelivery = resolve; }), this.#ended]);
    // Nobody may be waiting for them.
    this.#ended.catch(() => {});
    this.welcome.catch(() => {});
    this.delivery.catch(() => {});
    this.#socket.on('message', (data: Buffer) => this.#hear(decodeRelayFrame(data)));
    this.#socket.on('error', (error) => this.#end(error));
    this.#socket.on('close', () => this.#end(new Error('The relay closed the connection')));
    setTimeout(() => this.#end(new Error('The relay does not answer on the WebSocket')), ANSWER_MAX_MS).unref();
  }

  ask(body: Parameters<typeof encodeClientFrame>[1]): Promise<RelayBody> {
    this.#last += 1;
    const request = this.#last;
    this.#socket.send(encodeClientFrame(request, body));
    return Promise.race([new Promise<RelayBody>((resolve) => this.#answers.set(request, resolve)), this.#ended]);
  }

  /** The code of a refusal, or the kind of any other answer. */
  async try(body: Parameters<typeof encodeClientFrame>[1]): Promise<string> {
    const answer = await this.ask(body);
    return answer.case === 'refused' ? answer.value.code : answer.case;
  }

  close(): void {
    this.#socket.terminate();
  }

  #hear({ request, body }: { readonly request: number; readonly body: RelayBody }): void {
    if (body.case === 'welcome') this.#onWelcome(body.value);
    else if (body.case === 'delivery') this.#onDelivery(body.value.envelope);
    else if (body.case === 'goodbye') this.#end(new Error(`The relay says goodbye (${body.value.code})`));
    else this.#answers.get(request)?.(body);
  }

  #end(error: Error): void {
    this.#onEnd(error);
    this.#socket.terminate();
  }
}
