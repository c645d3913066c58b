import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, equal, fromBase64url, fromHex, Reader, text, toBase64url, toHex, utf8, Writer } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import { codeOf } from './support.js';

const anyBytes = fc.uint8Array({ maxLength: 200 });

describe('written forms of bytes', () => {
  it('writes hex and base64url as Node does, and reads back what it wrote', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
        expect(toBase64url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
        expect(fromHex(toHex(bytes))).toEqual(bytes);
        expect(fromBase64url(toBase64url(bytes))).toEqual(bytes);
      }),
    );
  });

  it('reads upper-case hex', () => {
    expect(fromHex('0aFF')).toEqual(Uint8Array.of(10, 255));
  });

  it.each(['0', 'zz', '0x', ' 00', '00\n', '0g'])('refuses %j as hex', (hex) => {
    expect(codeOf(() => fromHex(hex))).toBe('malformed');
  });

  it.each(['A', 'AAAAA', 'AA=', 'AA==', 'A+', 'A/', 'AB', 'AAB', 'AA AA', '\u{1F600}\u{1F600}'])('refuses %j as base64url', (encoded) => {
    expect(codeOf(() => fromBase64url(encoded))).toBe('malformed');
  });

  it('accepts one text for each byte string, so that nobody can write a link in two ways', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('A', 'B', 'Q', 'g', 'w', '_', '-', '=', '+') , maxLength: 12 }), (encoded) => {
        let bytes: Uint8Array;
        try {
          bytes = fromBase64url(encoded);
        } catch {
          return;
        }
        expect(toBase64url(bytes)).toBe(encoded);
      }),
    );
  });

  it('reads UTF-8 strictly and keeps a byte order mark', () => {
    expect(text(utf8('\uFEFFGrüße \u{1F600}'))).toBe('\uFEFFGrüße \u{1F600}');
    expect(codeOf(() => text(Uint8Array.of(0xc3, 0x28)))).toBe('malformed');
  });

  it('compares and joins', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (a, b) => {
        expect(equal(a, b)).toBe(Buffer.compare(a, b) === 0);
        expect(equal(a, a.slice())).toBe(true);
        expect(concat(a, b)).toEqual(new Uint8Array(Buffer.concat([a, b])));
      }),
    );
  });
});

describe('packed structures', () => {
  it('reads the numbers that it wrote, big-endian', () => {
    const packed = new Writer(14).number(1, 1).number(0x0203, 2).number(0x04050607, 4).number(0x08090a0b0c0d, 6).bytes(Uint8Array.of(14)).finish();
    expect(packed).toEqual(Uint8Array.from({ length: 14 }, (_, i) => i + 1));
    const reader = new Reader(packed);
    expect([reader.number(1), reader.number(2), reader.number(4), reader.number(6)]).toEqual([1, 0x0203, 0x04050607, 0x08090a0b0c0d]);
    expect(reader.bytes(1)).toEqual(Uint8Array.of(14));
    reader.end();
  });

  it('refuses to read past the end, and bytes that nobody read', () => {
    expect(codeOf(() => new Reader(new Uint8Array(3)).bytes(4))).toBe('malformed');
    expect(codeOf(() => new Reader(new Uint8Array(3)).number(4))).toBe('malformed');
    expect(codeOf(() => new Reader(new Uint8Array(1)).end())).toBe('malformed');
    expect(codeOf(() => new Reader(Uint8Array.of(2)).expect(1))).toBe('malformed');
  });

  it('fills the memory that it was given, and neither more nor less', () => {
    const target = new Uint8Array(3);
    expect(new Writer(target).number(0x0102, 2).number(3, 1).finish()).toBe(target);
    expect(target).toEqual(Uint8Array.of(1, 2, 3));
    expect(codeOf(() => new Writer(3).number(1, 2).finish())).toBe('internal');
    expect(() => new Writer(3).bytes(new Uint8Array(4))).toThrow(RangeError);
  });

  it('reads from the middle, passes over what it need not read, and shows bytes where they lie', () => {
    const source = Uint8Array.of(1, 2, 3, 4, 5);
    const reader = new Reader(source, 1);
    expect(reader.skip(1)).toBe(2);
    reader.view(2).fill(9);
    expect(source).toEqual(Uint8Array.of(1, 2, 9, 9, 5));
    expect(codeOf(() => reader.skip(2))).toBe('malformed');
    expect(codeOf(() => reader.view(2))).toBe('malformed');
  });

  it('gives memory of its own, so that erasing it leaves the source alone', () => {
    const source = Uint8Array.of(1, 2, 3);
    new Reader(source).bytes(3).fill(0);
    expect(source).toEqual(Uint8Array.of(1, 2, 3));
  });
});

describe('an error', () => {
  it('keeps what caused it, and says nothing of a cause where there is none', () => {
    expect(new SottoError('malformed', undefined, 'why').cause).toBe('why');
    expect('cause' in new SottoError('malformed')).toBe(false);
  });
});
