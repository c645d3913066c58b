import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTurnUrl } from '../../../client/transports/turn-url.js';

describe('the URL of a TURN server', () => {
  it('is read with the defaults of RFC 7065', () => {
    expect(parseTurnUrl('turn:relay.example')).toEqual({ host: 'relay.example', port: 3478, transport: 'udp' });
    expect(parseTurnUrl('turn:192.0.2.1:3479?transport=tcp')).toEqual({ host: '192.0.2.1', port: 3479, transport: 'tcp' });
    expect(parseTurnUrl('turns:[2001:db8::1]')).toEqual({ host: '2001:db8::1', port: 5349, transport: 'tls' });
    expect(parseTurnUrl('turns:relay.example:443?transport=tcp')).toEqual({ host: 'relay.example', port: 443, transport: 'tls' });
  });

  it('is refused where it is anything else', () => {
    for (const url of ['', 'turn:', 'stun:relay.example', 'turn:relay.example:0', 'turn:relay.example:65536', 'turn:user@relay.example', 'turn:relay.example/path', 'turn:relay example', 'turns:relay.example?transport=udp', 'turn:relay.example?transport=dtls', 'turn:[relay.example]', '\nturn:relay.example']) {
      expect(parseTurnUrl(url), url).toBeNull();
    }
  });

  it('never throws, and what it reads is a host and a port', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.string().map((rest) => `turn:${rest}`), fc.webAuthority().map((rest) => `turns:${rest}`)), (url) => {
      const read = parseTurnUrl(url);
      expect(read === null || (/^[0-9a-z.:-]+$/i.test(read.host) && read.port > 0 && read.port < 65_536)).toBe(true);
    }));
  });
});
