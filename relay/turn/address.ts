// IP addresses as the socket writes them and as they stand on the wire. Pure.

/** An IP address, as text in the form that the operating system gives, and a port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

const GROUPS = 8;

/** Bytes of an IPv6 address that one subscriber is given by. */
const SUBSCRIBER_BYTES = 8;

/** The bytes of an IPv4 or IPv6 address in the form that the operating system gives, with or without a zone; null for others. */
export function parseIp(text: string): Uint8Array | null {
  if (!text.includes(':')) return parseIpv4(text);
  const [head = '', tail, ...more] = text.replace(/%.*$/, '').split('::');
  const before = parseGroups(head);
  const after = tail === undefined ? [] : parseGroups(tail);
  if (before === null || after === null || more.length > 0) return null;
  const missing = GROUPS - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const groups = [...before, ...Array<number>(missing).fill(0), ...after];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** A text that all addresses of one subscriber have in common: of IPv6 they have a /64. */
export function subscriberOf(address: string): string {
  return address.includes(':') ? String(parseIp(address)?.subarray(0, SUBSCRIBER_BYTES)) : address;
}

/** The text of 4 or 16 bytes as the operating system writes it (RFC 5952), so that equal addresses are equal texts. */
export function formatIp(ip: Uint8Array): string {
  if (ip.length === 4) return ip.join('.');
  const groups = Array.from({ length: GROUPS }, (_, index) => ((ip[2 * index]! << 8) | ip[2 * index + 1]!).toString(16));
  const zeros = longestZeros(groups);
  if (zeros.length < 2) return groups.join(':');
  return `${groups.slice(0, zeros.start).join(':')}::${groups.slice(zeros.start + zeros.length).join(':')}`;
}

function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) return null;
  return Uint8Array.from(parts, Number);
}

/** The 16-bit groups of one side of `::`; the last may be an IPv4 address, which stands for two. */
function parseGroups(text: string): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  for (const part of text.split(':')) {
    const v4 = part.includes('.') ? parseIpv4(part) : null;
    if (v4 !== null) groups.push((v4[0]! << 8) | v4[1]!, (v4[2]! << 8) | v4[3]!);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups;
}

/** The first of the longest runs of zero groups. */
function longestZeros(groups: readonly string[]): { readonly start: number; readonly length: number } {
  let longest = { start: 0, length: 0 };
  let length = 0;
  for (const [index, group] of groups.entries()) {
    length = group === '0' ? length + 1 : 0;
    if (length > longest.length) longest = { start: index - length + 1, length };
  }
  return longest;
}
