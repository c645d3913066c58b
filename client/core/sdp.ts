// SDP by a template and ICE candidates by a strict grammar. Text from the other side never reaches a WebRTC library: a
// description is its fields in our template, a candidate is read into its five fields and written anew, and each goes its own
// way, so that there is one gate for candidates. The only SDP that is read is what our own library made.

import { fromHex, toHex } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import { isDescription } from './description.js';
import type { Description, Setup } from './description.js';

/** Longest candidate line that is read; the longest that a browser makes has about 220 characters. */
const CANDIDATE_MAX_CHARS = 300;

/** Largest message that we say we take on the channel: what both libraries take by default. */
export const CHANNEL_MESSAGE_MAX_BYTES = 262_144;

/** What a candidate says, of what we use (RFC 8839 §5.1). Component is always 1 and the transport UDP. */
export interface Candidate {
  readonly foundation: string;
  readonly priority: number;
  /** IPv4 or IPv6 literal, or the `.local` name by which a browser hides a local address. */
  readonly address: string;
  readonly port: number;
  readonly type: 'host' | 'srflx' | 'prflx' | 'relay';
}

const CANDIDATE =
  /^candidate:(?<foundation>[A-Za-z0-9+/]{1,32}) 1 udp (?<priority>[0-9]{1,10}) (?<address>[0-9A-Za-z.:-]{2,64}) (?<port>[0-9]{1,5}) typ (?<type>host|srflx|prflx|relay)(?: [!-~]+ [!-~]+)*$/i;

/** Reads one candidate, with or without `a=`. Null for everything that is not one of ours: TCP, component 2, bad addresses. */
export function parseCandidate(text: string): Candidate | null {
  if (text.length > CANDIDATE_MAX_CHARS) return null;
  const fields = CANDIDATE.exec(text.replace(/^a=/, ''))?.groups;
  if (fields === undefined) return null;
  const { foundation = '', priority, address = '', port, type = '' } = fields;
  const candidate = { foundation, address: address.toLowerCase(), priority: Number(priority), port: Number(port), type: type.toLowerCase() as Candidate['type'] };
  const inRange = candidate.priority >= 1 && candidate.priority < 2 ** 31 && candidate.port >= 1 && candidate.port <= 65_535;
  return inRange && reach(candidate.address) !== 'none' ? candidate : null;
}

/** Writes a candidate. The related address is always blank (RFC 8839 §5.1): the other side has no use for it. */
export function formatCandidate({ foundation, priority, address, port, type }: Candidate): string {
  const related = type === 'host' ? '' : ` raddr ${address.includes(':') ? '::' : '0.0.0.0'} rport 9`;
  return `candidate:${foundation} 1 udp ${priority} ${address} ${port} typ ${type}${related}`;
}

/**
 * The candidate written anew, or null where it must not be used. `loopback` lets addresses of this machine pass, for two
 * peers on one machine: elsewhere a contact could aim our checks at our own services with them.
 */
export function checkCandidate(text: string, loopback: boolean): string | null {
  const candidate = parseCandidate(text);
  if (candidate === null || (reach(candidate.address) === 'loopback' && !loopback)) return null;
  return formatCandidate(candidate);
}

/** Whether an address (a literal) is of this machine alone. */
export function isLoopback(address: string): boolean {
  return reach(address) === 'loopback';
}

/** Whether a host, by name or address, is this machine, in whichever way that is written. */
export function isThisMachine(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  if (name === 'localhost' || name.endsWith('.localhost') || name === '0.0.0.0' || name === '::') return true;
  return isLoopback(name.replace(/^::ffff:7f[0-9a-f]{2}:.*$/, '127.0.0.1'));
}

/** Whether a candidate's address is hidden behind a name that only multicast DNS resolves. */
export function isHidden(candidate: string): boolean {
  return candidate.includes('.local ');
}

/**
 * Reads an SDP text of our own library. Candidates are left as they are found.
 * @throws SottoError `malformed` where a field is missing.
 */
export function describe(sdp: string): Description {
  const lines = sdp.split(/\r?\n/);
  const values = (name: string): string[] => lines.filter((line) => line.startsWith(`a=${name}:`)).map((line) => line.slice(name.length + 3));
  const value = (name: string): string => values(name)[0] ?? '';
  const fingerprint = /^sha-256 ((?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i.exec(value('fingerprint'))?.[1] ?? '';
  return checked({
    ufrag: value('ice-ufrag'),
    pwd: value('ice-pwd'),
    fingerprint: fromHex(fingerprint.replaceAll(':', '')),
    setup: value('setup') as Setup,
    candidates: values('candidate').map((line) => `candidate:${line}`),
  });
}

/**
 * SDP for one data channel that libdatachannel and browsers take, as offer and as answer, without candidates. `setup`
 * replaces the description's own DTLS role.
 * @throws SottoError `malformed`.
 */
export function render(description: Description, setup: Setup = description.setup): string {
  const { ufrag, pwd, fingerprint } = checked(description);
  const lines = [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    'a=mid:0',
    'a=sendrecv',
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    'a=ice-options:trickle',
    `a=fingerprint:sha-256 ${toHex(fingerprint).toUpperCase().match(/../g)?.join(':')}`,
    `a=setup:${setup}`,
    'a=sctp-port:5000',
    `a=max-message-size:${CHANNEL_MESSAGE_MAX_BYTES}`,
  ];
  return `${lines.join('\r\n')}\r\n`;
}

function checked(description: Description): Description {
  if (!isDescription(description)) throw new SottoError('malformed');
  return description;
}

/** Where packets to an address would go: to this machine, to one other, or nowhere that a candidate may name. */
function reach(address: string): 'loopback' | 'host' | 'none' {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local$/.test(address)) return 'host';
  return address.includes(':') ? reach6(address) : reach4(address);
}

function reach4(address: string): 'loopback' | 'host' | 'none' {
  const parts = address.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)) return 'none';
  const [first, second] = parts.map(Number) as [number, number];
  if (first === 127) return 'loopback';
  const nowhere = first === 0 || first >= 224 || (first === 169 && second === 254);
  return nowhere ? 'none' : 'host';
}

function reach6(address: string): 'loopback' | 'host' | 'none' {
  const groups = parseGroups(address);
  if (groups === null) return 'none';
  const first = groups[0] ?? 0;
  const zeros = groups.findIndex((group) => group !== 0);
  if (zeros === 7 && groups[7] === 1) return 'loopback';
  // Unspecified, IPv4 in IPv6 in all its forms (an IPv4 address must come as itself, to be judged), link-local, multicast.
  const embedsIPv4 = zeros === -1 || zeros >= 4 || first === 0x2002 || (first === 0x64 && groups[1] === 0xff9b);
  return embedsIPv4 || (first & 0xffc0) === 0xfe80 || first >= 0xff00 ? 'none' : 'host';
}

/** The eight groups of an IPv6 literal (RFC 4291 §2.2, forms 1 and 2); null if it is none. */
function parseGroups(address: string): number[] | null {
  const halves = address.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const [head = [], tail = []] = halves;
  const missing = 8 - head.length - tail.length;
  if (halves.length > 2 || (halves.length === 2 ? missing < 1 : missing !== 0)) return null;
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail];
  return groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) ? groups.map((group) => Number.parseInt(group, 16)) : null;
}
