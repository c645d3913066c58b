import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostOf, relayOrigin } from '../../crypto/origin.js';

describe('the address of a relay', () => {
  test.each([
    ['https://relay.example', 'https://relay.example'],
    ['https://Relay.Example:443/', 'https://relay.example'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['http://[::1]:8080/', 'http://[::1]:8080'],
  ])('%s is kept as %s', (text, kept) => {
    expect(relayOrigin(text)).toBe(kept);
    expect(relayOrigin(kept)).toBe(kept);
  });

  test.each(['', 'relay.example', 'ws://relay.example', 'ftp://relay.example', 'https://', 'https://relay.example/path', 'https://relay.example/?q', 'https://relay.example/#f', 'https://me:pw@relay.example', 'https://relay.example:99999', 'javascript:alert(1)'])(
    '%j is refused',
    (text) => expect(() => relayOrigin(text)).toThrow(expect.objectContaining({ code: 'relay-url-invalid' })),
  );

  test('names a host, without the brackets of IPv6', () => {
    expect(['https://relay.example:8443', 'http://127.0.0.1', 'http://[::1]:8080'].map(hostOf)).toEqual(['relay.example', '127.0.0.1', '::1']);
    expect(() => hostOf('relay.example')).toThrow(expect.objectContaining({ code: 'relay-url-invalid' }));
  });

  test('has 255 bytes at most', () => {
    const ofLength = (length: number) => `https://${`${'a'.repeat(60)}.`.repeat(5).slice(0, length - 8 - 3)}abc`;
    expect(relayOrigin(ofLength(255))).toHaveLength(255);
    expect(() => relayOrigin(ofLength(256))).toThrow(expect.objectContaining({ code: 'relay-url-invalid' }));
  });

  test('is kept in a form that stays the same, or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl()), (text) => {
        try {
          expect(relayOrigin(relayOrigin(text))).toBe(relayOrigin(text));
        } catch (error) {
          expect(error).toMatchObject({ code: 'relay-url-invalid' });
        }
      }),
    );
  });
});
