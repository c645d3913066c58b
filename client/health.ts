// Whether a relay is there, by the one question that needs no connection of its own, and why not in words of a person. It knows
// nothing of what a relay is asked otherwise.

/** What the system and libraries say when a connection fails, and what that means. The first that fits is meant. */
const CAUSES: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'nothing listens there'],
  [/ENOTFOUND|EAI_AGAIN/, 'its name is not known'],
  [/EHOSTUNREACH|ENETUNREACH|ENETDOWN/, 'no way leads there from this network'],
  [/ETIMEDOUT|TimeoutError|CONNECT_TIMEOUT/, 'it did not answer in time'],
  [/ECONNRESET|EPIPE|UND_ERR_SOCKET|hang up/, 'the connection broke off'],
  [/CERT|SELF_SIGNED|UNABLE_TO|EPROTO|ERR_TLS|ERR_SSL/, 'its certificate or its TLS is not in order'],
  [/Unexpected server response/, 'something answers there that does not speak as a relay'],
  [/bad port/, 'this port is never used for HTTP'],
  [/closed by the relay/, 'it closed the connection'],
  [/relay-busy/, 'it is at its limit'],
  [/relay-closing/, 'it is shutting down'],
  [/relay-failed/, 'its disk fails'],
  [/broke the protocol|frame-malformed/, 'it speaks another version of the protocol'],
  [/does not answer|cannot be reached/, 'it does not answer'],
];

export interface Health {
  /** `foreign`: something answers, but no relay. */
  readonly state: 'well' | 'ill' | 'foreign' | 'silent';
  /** A sentence for a person. */
  readonly text: string;
}

/** Asks a relay, by its origin, whether it is well. Rejects never. */
export async function askHealth(relay: string, timeoutMs: number): Promise<Health> {
  try {
    const response = await fetch(`${relay}/health`, { signal: AbortSignal.timeout(timeoutMs) });
    if (isWell(await response.text())) return { state: 'well', text: `The relay ${relay} answers over HTTP.` };
    if (response.status >= 500) return { state: 'ill', text: `The relay ${relay} is not well, or what stands before it (HTTP ${response.status}); ask whoever runs it.` };
    return { state: 'foreign', text: `Something answers at ${relay}, but it is no Sotto relay; check the address.` };
  } catch (error) {
    const { name, cause } = error as { name: string; cause?: { code?: string; message?: string } };
    return { state: 'silent', text: `The relay ${relay} does not answer: ${plainCause(cause?.code ?? cause?.message ?? name)}. Check the address, and that the relay runs.` };
  }
}

/** Why a connection failed, in plain words where there are some: what LinkState or the system says. */
export function plainCause(cause: string): string {
  return CAUSES.find(([sign]) => sign.test(cause))?.[1] ?? cause;
}

function isWell(answer: string): boolean {
  try {
    return (JSON.parse(answer) as { status?: unknown } | null)?.status === 'ok';
  } catch {
    return false;
  }
}
