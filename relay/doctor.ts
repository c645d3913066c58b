// `sotto relay doctor`: looks at a relay as its clients do, and where it runs on this machine also from inside. Each finding says
// what to do. It leaves nothing behind: the mailbox that it makes is closed again.

import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { equal } from '../crypto/bytes.js';
import { ready } from '../crypto/sodium.js';
import { freeBytes } from './guard.js';
import { ANSWER_MAX_MS, Line } from './line.js';
import { collectRequest, newMailbox, putRequest } from './mailbox.js';
import { ownerOfFolder } from './stores/upkeep.js';
import { tryStun, tryTurn, type Credential } from './trial.js';
import type { Place, Transport } from './way.js';
import { COLLECT_PATH, DEPOSIT_PATH, WIRE_VERSION } from './wire/limits.js';
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

/** A certificate that is not renewed by then will not renew itself. */
const CERTIFICATE_DAYS_MIN = 14;

/** Difference of clocks from which on lives of envelopes are wrong by more than nobody notices. */
const CLOCK_MAX_MS = 60_000;

/** Where a TURN server is whose URL names no port (RFC 7065 §3.2). */
const TURN_PORT = 3_478;
const TURNS_PORT = 5_349;

const TURN_BY: Readonly<Record<Transport, string>> = { udp: 'TURN', tcp: 'TURN by TCP', tls: 'TURN by TLS' };

/** Life of the envelope that is put, where it cannot be taken away again. */
const ENVELOPE_SECONDS = 60;

/** Files that a relay has open beside its connections. */
const FILES_BESIDE = 64;

const DAY_MS = 24 * 3_600_000;
const MIB = 1024 * 1024;

/** Looks at everything, one after the other, and never throws. */
export async function examine(patient: Patient): Promise<readonly Finding[]> {
  await ready();
  const url = new URL(patient.url);
  const findings: Finding[] = [];
  const look = async (...given: Parameters<typeof tried>): Promise<void> => {
    findings.push(await tried(...given));
  };
  await look('name', 'Let the DNS name point to this relay, or give its address.', () => seeName(url));
  await look('HTTP', unlessCertificate('Start the relay, open its TCP port in the firewall, and let a proxy in front pass it on.'), () => seeHttp(url));
  await look('clock', 'Let the machine set its clock by NTP.', () => seeClock(url));
  if (url.protocol === 'https:') await look('certificate', 'Renew it, and give --tls-cert the whole chain.', () => seeCertificate(url));
  const greetings: Welcome[] = [];
  await look('WebSocket', unlessCertificate('Let a proxy in front pass on upgrades to WebSocket, and the paths /v1/collect and /v1/deposit.'), async () => {
    const welcome = await seeWebSocket(url);
    greetings.push(welcome);
    return `The relay greets with version ${welcome.version} of the contract.`;
  });
  for (const welcome of greetings) findings.push(...await examineServices(url, welcome));
  await look('disk', 'Give the disk more room, or lower --store-bytes and --envelope-seconds.', () => seeDisk(patient));
  await look('open files', 'Raise LimitNOFILE of the service, or lower --connections.', () => seeFiles(patient));
  return findings;
}

/** What a relay that greets does for its clients. */
async function examineServices(url: URL, { stunPort, stunOtherPort }: Welcome): Promise<Finding[]> {
  const findings = [await tried('mailbox', 'Look at the relay’s log and at "sotto relay inspect".', () => seeMailbox(url))];
  for (const port of [stunPort, stunOtherPort].filter((each) => each > 0)) {
    findings.push(await tried('STUN', `Open UDP port ${port} in the firewall.`, () => seeStun(hostOf(url), port)));
  }
  return [...findings, ...await examineTurn(url)];
}

/** Every server that the relay names to its clients, be it its own or another. */
async function examineTurn(url: URL): Promise<Finding[]> {
  const lines: Line[] = [];
  try {
    const servers = await namedServers(url, lines);
    const findings: Finding[] = [];
    // While the lines are open we are a client, and let in as a peer.
    for (const server of servers) findings.push(await tried(TURN_BY[server.transport], adviceFor(server), () => tryTurn(server, server)));
    const expected: readonly Transport[] = url.protocol === 'https:' ? ['udp', 'tcp', 'tls'] : ['udp', 'tcp'];
    const missing = expected.filter((transport) => servers.every((server) => server.transport !== transport));
    return [...findings, ...missing.map((transport): Finding => ({ what: TURN_BY[transport], state: 'unknown', sentence: `The relay names no TURN server by ${transport.toUpperCase()}.` }))];
  } catch (error) {
    return [await tried(TURN_BY.udp, 'Look at the relay’s log and at --turn-url.', () => Promise.reject(error))];
  } finally {
    for (const line of lines) line.close();
  }
}

/** Threads take turns, so the relay is asked until it names none that is new. @param lines takes the connections by which it was asked */
async function namedServers(url: URL, lines: Line[]): Promise<(Place & Credential)[]> {
  const servers = new Map<string, Place & Credential>();
  for (;;) {
    const line = new Line(url, DEPOSIT_PATH);
    lines.push(line);
    await line.welcome();
    const answer = await line.ask({ case: 'askTurn', value: {} });
    const { urls, username, password } = answer.case === 'turn' ? answer.value : { urls: [], username: '', password: '' };
    const fresh = urls.filter((each) => !servers.has(each));
    if (fresh.length === 0) return [...servers.values()];
    for (const each of fresh) servers.set(each, { ...placeOf(each), username, password });
  }
}

/** Where a TURN URL points to (RFC 7065). */
function placeOf(url: string): Place {
  const [, scheme = '', host = '', port, stream] = /^(turns?):(\[[^\]]+\]|[^:?]+)(?::(\d+))?(?:\?transport=(?:udp|(tcp)))?$/.exec(url) ?? [];
  if (host === '') throw new Error(`The relay names ${url}, which is no TURN server`);
  if (scheme === 'turns') return { transport: 'tls', host: bare(host), port: Number(port ?? TURNS_PORT) };
  return { transport: stream === undefined ? 'udp' : 'tcp', host: bare(host), port: Number(port ?? TURN_PORT) };
}

function adviceFor({ transport, host, port }: Place): string {
  switch (transport) {
    case 'udp': return `Open UDP port ${port} in the firewall, and those of relayed connections (--turn-ports); behind a NAT, give --turn-address.`;
    case 'tcp': return `Open TCP port ${port} in the firewall.`;
    case 'tls': return `Open TCP port ${port} in the firewall, let nothing in front end its TLS, and give --tls-cert a certificate for ${host}.`;
  }
}

async function tried(what: string, advice: string | ((error: unknown) => string), see: () => Promise<string | Finding>): Promise<Finding> {
  try {
    const seen = await see();
    return typeof seen === 'string' ? { what, state: 'good', sentence: seen } : seen;
  } catch (error) {
    return { what, state: 'bad', sentence: `${reasonOf(error)}. ${typeof advice === 'string' ? advice : advice(error)}` };
  }
}

/** The advice, but where the relay was reached and only its certificate refused. The codes are those of Node's TLS. */
function unlessCertificate(advice: string): (error: unknown) => string {
  return (error) => {
    const { code, cause } = error as { readonly code?: unknown; readonly cause?: { readonly code?: unknown } };
    return /CERT|^UNABLE_TO_/.test(String(code ?? cause?.code)) ? 'Look at the certificate.' : advice;
  };
}

/** What fetch() throws says nothing itself. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'There was no answer in time';
  const { message } = error.cause instanceof Error && error.message === 'fetch failed' ? error.cause : error;
  return message || ((error.cause ?? error) as NodeJS.ErrnoException).code || error.name;
}

async function seeName(url: URL): Promise<string> {
  const addresses = await lookup(hostOf(url), { all: true });
  return `${url.hostname} is ${addresses.map(({ address }) => address).join(', ')}.`;
}

async function seeHttp(url: URL): Promise<string | Finding> {
  const since = performance.now();
  const response = await fetch(new URL('/ready', url), { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
  const { problems = [] } = await response.json() as { readonly problems?: readonly string[] };
  if (!response.ok) return { what: 'HTTP', state: 'bad', sentence: `The relay answers that it takes nothing new: ${problems.join(', ')}. Look at the relay’s log, and at --disk-reserve and --memory-max.` };
  return `The relay is ready, and answers in ${Math.round(performance.now() - since)} ms.`;
}

async function seeClock(url: URL): Promise<string | Finding> {
  const response = await fetch(new URL('/health', url), { signal: AbortSignal.timeout(ANSWER_MAX_MS) }).catch(() => null);
  if (response === null) return { what: 'clock', state: 'unknown', sentence: 'Without an answer over HTTP it was not seen.' };
  const difference = Date.parse(response.headers.get('date') ?? '') - Date.now();
  if (Number.isNaN(difference)) throw new Error('The answer has no date');
  if (Math.abs(difference) > CLOCK_MAX_MS) throw new Error(`The relay's clock and this one differ by ${Math.round(difference / 1_000)} s`);
  return 'The relay’s clock and this one agree.';
}

async function seeCertificate(url: URL): Promise<string | Finding> {
  const host = hostOf(url);
  const socket = connectTls({ host, ...isIP(host) === 0 && { servername: host }, port: Number(url.port || 443), rejectUnauthorized: false });
  const connected = once(socket, 'secureConnect', { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
  try {
    if (await connected.catch(() => null) === null) return { what: 'certificate', state: 'unknown', sentence: 'Without a connection with TLS it was not seen.' };
    if (!socket.authorized) throw new Error(`Clients refuse the certificate (${String(socket.authorizationError)})`);
    const days = Math.floor((Date.parse(socket.getPeerCertificate().valid_to) - Date.now()) / DAY_MS);
    if (days < CERTIFICATE_DAYS_MIN) throw new Error(`The certificate ends in ${days} days`);
    return `The certificate is for ${host} and ends in ${days} days.`;
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
    const [mailbox, envelope] = [newMailbox(), randomBytes(256)];
    const collected = await owner.try(collectRequest(mailbox, (await owner.welcome()).challenge));
    if (collected === 'admission-required' || collected === 'work-required') return { what: 'mailbox', state: 'unknown', sentence: 'The relay makes mailboxes only on terms, so none was tried.' };
    if (collected !== 'done') throw new Error(`The relay makes no mailbox (${collected})`);
    await sender.welcome();
    const since = performance.now();
    const put = await sender.try(putRequest(mailbox, envelope, ENVELOPE_SECONDS));
    if (put !== 'done') throw new Error(`The relay keeps no envelope (${put})`);
    const keptMs = Math.round(performance.now() - since);
    if (!equal(await owner.within(delivery), envelope)) throw new Error('The relay delivered something else than was put');
    await owner.ask({ case: 'close', value: { mailbox: mailbox.mailbox } });
    return `An envelope was kept in ${keptMs} ms and delivered.`;
  } finally {
    owner.close();
    sender.close();
  }
}

async function seeStun(host: string, port: number): Promise<string> {
  const { address } = await tryStun(host, port);
  return `A server answers at UDP port ${port} of ${host}, and sees this machine as ${address}.`;
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

function hostOf({ hostname }: URL): string {
  return bare(hostname);
}

/** A host without the brackets that an IPv6 address has in a URL. */
function bare(host: string): string {
  return host.replaceAll(/[[\]]/g, '');
}

function elsewhere(what: string): Finding {
  return { what, state: 'unknown', sentence: 'No relay of this machine uses --data, so this was not looked at.' };
}
