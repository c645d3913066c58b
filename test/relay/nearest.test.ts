import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearest } from '../../relay/nearest.js';

const WORDS = ['--data', '--port', '--json', '--stun-port', 'send', 'listen', 'contacts', 'mailboxBytes', 'x'];

describe('what somebody may have meant', () => {
  it.each([
    ['--dta', '--data'], ['--dtaa', '--data'], ['--prot', '--port'], ['--stunport', '--stun-port'], ['sned', 'send'], ['lisen', 'listen'], ['lsiten', 'listen'],
    ['contcts', 'contacts'], ['mailboxbyte', 'mailboxBytes'], ['SEND', 'send'],
  ])('by %s is %s', (wrong, meant) => {
    expect(nearest(wrong, WORDS)).toBe(meant);
  });

  it.each(['--wat', 'lst', 'sd', 'foo', '', '-', 'y', '--'])('by %j nobody can tell', (wrong) => {
    expect(nearest(wrong, WORDS)).toBeNull();
  });

  it('is the word itself, and a long one with any one letter wrong', () => {
    const word = fc.stringMatching(/^[a-z]{3,12}$/);
    fc.assert(fc.property(word, fc.nat(), fc.constantFrom('', '#'), (meant, at, letter) => {
      const place = at % meant.length;
      const wrong = meant.slice(0, place) + letter + meant.slice(place + 1);
      expect([nearest(meant, ['zzzzzzzzzzzzzzzzzzzzzz', meant]), nearest(wrong, ['zzzzzzzzzzzzzzzzzzzzzz', meant])]).toEqual([meant, meant]);
    }));
  });
});
