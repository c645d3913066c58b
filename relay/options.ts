// From the settings of an operator to what the relay takes. The only place that knows both forms.

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { SottoError } from '../crypto/error.js';
import { ready } from '../crypto/sodium.js';
import { admissionHash, type Admission } from './core/admission.js';
import type { RelayOptions, TurnOptions } from './run.js';
import type { Config } from './settings.js';

const PORT_MAX = 65_535;

/** @param given names of the settings that somebody chose; a taken port that nobody chose is replaced by a free one. */
export async function optionsOf(config: Config, given: ReadonlySet<string>): Promise<RelayOptions> {
  await ready();
  const { host, port, stunHost, stunPort, data, tlsCert, tlsKey, behindProxy, lan, origins, connections, sourceHttpPerMinute, diskReserve, memoryMax } = config;
  return {
    host, port, stunPort, data, limits: config, admission: admissionOf(config),
    stunHost: stunHost || host,
    turn: turnOf(config),
    tls: tlsCert === '' ? null : { certFile: tlsCert, keyFile: tlsKey },
    plain: behindProxy ? 'proxy' : lan ? 'lan' : 'loopback',
    gate: { origins, behindProxy, lan, connections, sourceRequestsPerMinute: sourceHttpPerMinute },
    diskReserveBytes: diskReserve,
    memoryMaxBytes: memoryMax === 0 ? null : memoryMax,
    metrics: config.metrics === 'on' ? { host: config.metricsHost, port: config.metricsPort, orAny: !given.has('metricsPort') } : null,
  };
}

function admissionOf({ admission, admissionToken, workBits }: Config): Admission {
  switch (admission) {
    case 'open': return { kind: 'open' };
    case 'token': return { kind: 'token', tokenHash: admissionHash(Buffer.from(admissionToken)) };
    case 'work': return { kind: 'work', bits: workBits };
  }
}

function turnOf({ turnPeers, turnAddress, turnPorts, turnWorkers, turnUrl, turnSecretFile }: Config): TurnOptions {
  if (turnAddress.some((address) => isIP(address) === 0)) throw new SottoError('option-invalid', '--turn-address takes IP addresses.');
  if ((turnUrl.length === 0) !== (turnSecretFile === '')) throw new SottoError('option-invalid', '--turn-url and --turn-secret-file go together.');
  return {
    peers: turnPeers,
    announced: turnAddress,
    workers: turnWorkers,
    ...turnPorts !== '' && { relayPorts: portsOf(turnPorts) },
    ...turnUrl.length > 0 && { external: { urls: turnUrl, secret: readSecret(turnSecretFile) } },
  };
}

function portsOf(text: string): [number, number] {
  const [first = 0, last = 0] = /^(\d{1,5})-(\d{1,5})$/.exec(text)?.slice(1).map(Number) ?? [];
  if (first === 0 || first >= last || last > PORT_MAX) throw new SottoError('option-invalid', '--turn-ports takes two ports, the first one below the last one, as in 50000-50999.');
  return [first, last];
}

function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new SottoError('option-invalid', `The file ${file} of --turn-secret-file cannot be read (${(error as NodeJS.ErrnoException).code}).`, error);
  }
}
