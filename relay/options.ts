// From the settings of an operator to what the relay takes. The only place that knows both forms.

import { ready } from '../crypto/sodium.js';
import { admissionHash, type Admission } from './core/admission.js';
import type { RelayOptions } from './run.js';
import type { Config } from './settings.js';

/** @param given names of the settings that somebody chose; a taken port that nobody chose is replaced by a free one. */
export async function optionsOf(config: Config, given: ReadonlySet<string>): Promise<RelayOptions> {
  await ready();
  const { host, port, stunPort, data, tlsCert, tlsKey, behindProxy, lan, origins, connections, sourceHttpPerMinute, diskReserve, memoryMax } = config;
  return {
    host, port, stunPort, data, limits: config, admission: admissionOf(config),
    tls: tlsCert === '' ? null : { cert: tlsCert, key: tlsKey },
    plain: behindProxy ? 'proxy' : lan ? 'lan' : 'loopback',
    door: { origins, behindProxy, lan, connections, sourceRequestsPerMinute: sourceHttpPerMinute },
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
