import fc from 'fast-check';
import { describe as suite, expect, test } from 'vitest';
import type { Description } from '../../../client/core/description.js';
import { checkCandidate, describe, isHidden, isLoopback, parseCandidate, render } from '../../../client/core/sdp.js';
import { SottoError } from '../../../crypto/error.js';

const candidate = (address: string, rest = '50000 typ host'): string => `candidate:1 1 UDP 2114977791 ${address} ${rest}`;

const chars = (min: number, max: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'ABCxyz019+/'), minLength: min, maxLength: max });

const description: fc.Arbitrary<Description> = fc.record({
  ufrag: chars(4, 40),
  pwd: chars(22, 60),
  fingerprint: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  setup: fc.constantFrom('actpass', 'active', 'passive'),
  candidates: fc.constant([]),
});

/** Well-formed text with a few characters replaced, so that the fuzz reaches past the first check. */
const damaged = (text: string): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(fc.nat(text.length - 1), fc.oneof(fc.constantFrom('\r', '\n', ' ', ':', '', '0', '.'), fc.string({ maxLength: 3 }))), { maxLength: 4 })
    .map((edits) => edits.reduce((result, [at, put]) => result.slice(0, at) + put + result.slice(at + 1), text));

suite('a candidate', () => {
  test('is read in the forms that libdatachannel and Chromium write', () => {
    expect(parseCandidate('a=candidate:1 1 UDP 2114977791 192.0.2.7 44404 typ host')).toEqual({
      foundation: '1', priority: 2114977791, address: '192.0.2.7', port: 44404, type: 'host',
    });
    expect(
      parseCandidate('candidate:842163049 1 udp 1677729535 2001:DB8::7 54321 typ srflx raddr 10.0.0.2 rport 54321 generation 0 ufrag s8Dk network-cost 999'),
    ).toEqual({ foundation: '842163049', priority: 1677729535, address: '2001:db8::7', port: 54321, type: 'srflx' });
    const hidden = checkCandidate(candidate('3B1e9f2c-0d7a-4a52-8f0e-3f4b6c7d8e9f.local'), false);
    expect(hidden).toBe('candidate:1 1 udp 2114977791 3b1e9f2c-0d7a-4a52-8f0e-3f4b6c7d8e9f.local 50000 typ host');
    expect(isHidden(hidden ?? '')).toBe(true);
    expect(isHidden(candidate('192.0.2.7'))).toBe(false);
  });

  test('is written anew without its related address and its extensions', () => {
    expect(checkCandidate('candidate:8 1 UDP 1677729535 192.0.2.7 54321 typ srflx raddr 10.0.0.2 rport 54321 network-id 1', false)).toBe(
      'candidate:8 1 udp 1677729535 192.0.2.7 54321 typ srflx raddr 0.0.0.0 rport 9',
    );
    expect(checkCandidate('candidate:8 1 UDP 1677729535 2001:db8::7 54321 typ relay raddr fd00::1 rport 1', false)).toBe(
      'candidate:8 1 udp 1677729535 2001:db8::7 54321 typ relay raddr :: rport 9',
    );
  });

  test.each([
    ['a line of the greatest length', `${candidate('192.0.2.7')} x `.padEnd(300, 'y')],
    ['the least priority', 'candidate:1 1 UDP 1 192.0.2.7 9 typ host'],
    ['the greatest priority', 'candidate:1 1 UDP 2147483647 192.0.2.7 9 typ host'],
    ['port 1', candidate('192.0.2.7', '1 typ host')],
    ['port 65535', candidate('192.0.2.7', '65535 typ host')],
    ['the last address before multicast', candidate('223.255.255.255')],
    ['an address beside the link-local ones', candidate('169.253.1.1')],
    ['another address beside the link-local ones', candidate('168.254.1.1')],
    ['an IPv6 address beside those that hold IPv4', candidate('64:ff9a::1')],
    ['another IPv6 address beside those that hold IPv4', candidate('65:ff9b::1')],
    ['an IPv6 address with three zeros ahead', candidate('0:0:0:1::1')],
    ['the last IPv6 address before multicast', candidate('feff:ffff::1')],
    ['an IPv6 address that leaves out one group', candidate('2001:2:3:4:5:6:7::')],
  ])('with %s is read', (_, text) => {
    expect(parseCandidate(text)).not.toBeNull();
  });

  test.each([
    ['TCP', 'candidate:1 1 TCP 2114977791 192.0.2.7 9 typ host tcptype active'],
    ['a second component', 'candidate:1 2 UDP 2114977791 192.0.2.7 9 typ host'],
    ['priority 0', 'candidate:1 1 UDP 0 192.0.2.7 9 typ host'],
    ['port 0', candidate('192.0.2.7', '0 typ host')],
    ['port 65536', candidate('192.0.2.7', '65536 typ host')],
    ['an unknown type', candidate('192.0.2.7', '9 typ other')],
    ['a line break', `${candidate('192.0.2.7')}\r\na=setup:active`],
    ['a final line break', `${candidate('192.0.2.7')}\n`],
    ['an extension name without value', `${candidate('192.0.2.7')} generation`],
    ['a priority past 31 bits', 'candidate:1 1 UDP 2147483648 192.0.2.7 9 typ host'],
    ['a foundation past 32 characters', `candidate:${'f'.repeat(33)} 1 UDP 1 192.0.2.7 9 typ host`],
    ['a line of one character too many', `${candidate('192.0.2.7')} x `.padEnd(301, 'y')],
    ['a line far past its bound', `${candidate('192.0.2.7')} x ${'y'.repeat(300)}`],
    ['a host name', candidate('relay.example')],
    ['a .local name that no browser makes', candidate('printer.local')],
  ])('with %s is refused', (_, text) => {
    expect(parseCandidate(text)).toBeNull();
  });

  test.each([
    '0.0.0.0', '0.1.2.3', '169.254.169.254', '224.0.0.251', '239.1.2.3', '240.0.0.1', '255.255.255.255', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '0x7f.0.0.1',
    '::', '::2', 'ff00::1', '1:2:3:4::5:6:7:8::9', '1:2:3:4:5:6:7:8::', 'fe80::1', 'febf::1', 'ff02::fb', '::ffff:7f00:1', '::7f00:1', '::ffff:0:7f00:1', '64:ff9b::7f00:1', '2002:7f00:1::', '1::2::3', '1:2:3', '1:2:3:4:5:6:7:8:9', ':1:2:3:4:5:6:7', 'g::1', '::ffff:127.0.0.1', 'fe80::1%eth0',
  ])('with the address %s is refused even on one machine', (bad) => {
    expect(checkCandidate(candidate(bad), true)).toBeNull();
  });

  test.each(['127.0.0.1', '127.255.0.9', '::1', '0:0:0:0:0:0:0:1'])('with the loopback address %s needs the flag', (local) => {
    expect(checkCandidate(candidate(local), false)).toBeNull();
    expect(checkCandidate(candidate(local), true)).toContain(local);
    expect(isLoopback(local)).toBe(true);
  });

  test('from anywhere is refused or written in our own form, and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), damaged(candidate('192.0.2.7')), damaged(candidate('2001:db8::7', '9 typ relay raddr :: rport 9'))), fc.boolean(), (text, loopback) => {
        const written = checkCandidate(text, loopback);
        if (written === null) return;
        expect(written).toMatch(/^candidate:[A-Za-z0-9+/]{1,32} 1 udp [0-9]+ [0-9a-z.:-]+ [0-9]+ typ [a-z]+( raddr [0.:]+ rport 9)?$/);
        expect(checkCandidate(written, loopback)).toBe(written);
      }),
      { numRuns: 2_000 },
    );
  });
});

suite('a description', () => {
  test('survives the round trip through SDP', () => {
    fc.assert(
      fc.property(description, (before) => {
        expect(describe(render(before))).toEqual(before);
      }),
    );
  });

  test('is written as libdatachannel and browsers read it, with how much the channel takes', () => {
    expect(render({ ufrag: 'abcd', pwd: 'p'.repeat(22), fingerprint: new Uint8Array(32).fill(0xab), setup: 'actpass', candidates: [] }).split('\r\n')).toEqual([
      'v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0',
      'm=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'c=IN IP4 0.0.0.0', 'a=mid:0', 'a=sendrecv',
      'a=ice-ufrag:abcd', `a=ice-pwd:${'p'.repeat(22)}`, 'a=ice-options:trickle', `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`, 'a=setup:actpass',
      'a=sctp-port:5000', 'a=max-message-size:262144', '',
    ]);
  });

  test('is rendered with another DTLS role where one is given', () => {
    fc.assert(
      fc.property(description, (before) => {
        expect(describe(render(before, 'active'))).toEqual({ ...before, setup: 'active' });
      }),
    );
  });

  test('is read with the candidates that our own library has put into it', () => {
    const [before] = fc.sample(description, 1) as [Description];
    const lines = [candidate('192.0.2.7'), candidate('2001:db8::7')];
    expect(describe(`${render(before)}a=${lines.join('\r\na=')}\r\na=end-of-candidates\r\n`).candidates).toEqual(lines);
  });

  test.each([
    ['a line break in the ufrag', { ufrag: 'abcd\r\na=x:y' }],
    ['a short ufrag', { ufrag: 'abc' }],
    ['a short password', { pwd: 'x'.repeat(21) }],
    ['a long password', { pwd: 'x'.repeat(257) }],
    ['a final line break in the password', { pwd: `${'x'.repeat(22)}\n` }],
    ['a short fingerprint', { fingerprint: new Uint8Array(31) }],
    ['an unknown role', { setup: 'holdconn' as 'active' }],
  ])('with %s is malformed', (_, part) => {
    const [before] = fc.sample(description, 1) as [Description];
    expect(() => render({ ...before, ...part })).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  test.each(['ice-ufrag', 'ice-pwd', 'fingerprint', 'setup'])('without %s is malformed', (name) => {
    const [before] = fc.sample(description, 1) as [Description];
    const lines = render(before).split('\r\n').filter((line) => !line.startsWith(`a=${name}:`));
    expect(() => describe(lines.join('\r\n'))).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  test('from any text is read or malformed, and nothing else', () => {
    const [before] = fc.sample(description, 1) as [Description];
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), damaged(render(before))), (text) => {
        try {
          render(describe(text));
        } catch (error) {
          expect(error).toBeInstanceOf(SottoError);
          expect((error as SottoError).code).toBe('malformed');
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
