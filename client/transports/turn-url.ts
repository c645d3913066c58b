// The URL of a TURN server as a relay names it (RFC 7065). Pure. It comes from outside: what is not one is null.

export interface TurnUrl {
  readonly host: string;
  readonly port: number;
  readonly transport: 'udp' | 'tcp' | 'tls';
}

const FORM = /^(turns?):(\[[0-9a-f:.]{2,45}\]|[0-9a-z.-]{1,253})(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i;
const DEFAULT_PORT = 3478;
const DEFAULT_TLS_PORT = 5349;

/** Reads a `turn:` or `turns:` URL; null for anything else. TLS over UDP is none that anybody speaks. */
export function parseTurnUrl(url: string): TurnUrl | null {
  const [, scheme = '', host = '', port, transport] = FORM.exec(url) ?? [];
  const isTls = scheme.toLowerCase() === 'turns';
  const number = port === undefined ? (isTls ? DEFAULT_TLS_PORT : DEFAULT_PORT) : Number(port);
  if (host === '' || number === 0 || number > 65_535 || (isTls && transport === 'udp')) return null;
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: number, transport: isTls ? 'tls' : transport === 'tcp' ? 'tcp' : 'udp' };
}
