// `sotto relay doctor`: looks at a relay as its clients do, and where it runs on this machine also from inside. Each finding says
// what to do. It leaves nothing behind: the mailbox that it makes is closed again.

import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { concat, equal } from '../crypto/bytes.js';
import { hash } from '../crypto/hash.js';
import { publicKeyOf, sign } from '../crypto/signature.js';
import { ready } from '../crypto/sodium.js';
import { freeBytes } from './guard.js';
import { Line } from './line.js';
import { ownerOfFolder } from './stores/upkeep.js';
import { tryStun, tryTurn } from './trial.js';
import type { Endpoint } from './turn/address.js';
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
    await look('STUN', `Open UDP port ${stunPort} in the firewall.`, () => seeStun(url.hostname, stunPort));
    await look('TURN', `Open UDP port ${stunPort} in the firewall, and those of --turn-workers and --turn-ports; behind a NAT, give --turn-address.`, () => seeTurn(url));
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
    await depositing.welcome();
    const welcome = await collecting.welcome();
    if (welcome.version !== WIRE_VERSION) throw new Error(`The relay speaks version ${welcome.version} of the contract, and this Sotto version ${WIRE_VERSION}`);
    return welcome;
  } finally {
    collecting.close();
    depositing.close();
  }
}

/** An envelope all the way: put, kept, delivered, acknowledged. */
async function seeMailbox(url: URL): Promise<string | Finding> {
  let delivered: (envelope: Uint8Array) => void = () => {};
  const delivery = new Promise<Uint8Array>((resolve) => { delivered = resolve; });
  const [owner, sender] = [new Line(url, COLLECT_PATH, ({ envelope }) => delivered(envelope)), new Line(url, DEPOSIT_PATH)];
  try {
    const [seed, token, mailbox, envelope] = [randomBytes(32), randomBytes(16), randomBytes(16), randomBytes(256)];
    const tokenHash = hash('token', token);
    const signature = sign(seed, COLLECT_LABEL, concat((await owner.welcome()).challenge, mailbox, tokenHash));
    const collected = await owner.try({ case: 'collect', value: { mailbox, owner: publicKeyOf(seed), tokenHash, signature } });
    if (collected === 'admission-required' || collected === 'work-required') return { what: 'mailbox', state: 'unknown', sentence: 'The relay makes mailboxes only on terms, so none was tried.' };
    if (collected !== 'done') throw new Error(`The relay makes no mailbox (${collected})`);
    await sender.welcome();
    const since = performance.now();
    const put = await sender.try({ case: 'put', value: { mailbox, token, ttlSeconds: 60, envelope } });
    if (put !== 'done') throw new Error(`The relay keeps no envelope (${put})`);
    const keptMs = Math.round(performance.now() - since);
    if (!equal(await owner.within(delivery), envelope)) throw new Error('The relay delivered something else than was put');
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
    await line.welcome();
    const answer = await line.ask({ case: 'askTurn', value: {} });
    const [, host, port] = (answer.case === 'turn' && /^turn:(\[[^\]]+\]|[^:?]+):?(\d*)/.exec(answer.value.urls[0] ?? '')) || [];
    if (answer.case !== 'turn' || host === undefined) return { what: 'TURN', state: 'unknown', sentence: 'The relay names no TURN server.' };
    // While the line is open we are a client, and let in as a peer.
    return await tryTurn(await endpoint(host, Number(port || STUN_PORT)), answer.value);
  } finally {
    line.close();
  }
}

async function seeStun(host: string, port: number): Promise<string> {
  const { address } = await tryStun(await endpoint(host, port));
  return `A server answers at UDP port ${port} of ${host}, and sees this machine as ${address}.`;
}

async function endpoint(host: string, port: number): Promise<Endpoint> {
  return { address: (await lookup(host.replaceAll(/[[\]]/g, ''))).address, port };
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
