// What the arena leaves in libsodium's memory: nothing. And that the two back ends are the same to those who use them.

import fc from 'fast-check';
import sodium from 'libsodium-wrappers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { concat } from '../../crypto/bytes.js';
import type { Primitives } from '../../crypto/primitives.js';
import { decrypt, encrypt } from '../../crypto/session.js';
import * as door from '../../crypto/sodium.js';
import { type Exports, openArena } from '../../crypto/sodium-arena.js';
import { wrapper } from '../../crypto/sodium-wrapper.js';
import { FRAME_MAX_BYTES } from '../../relay/wire/limits.js';
import { codeOf, pair, seeded } from './support.js';

await door.readyOn('arena');

const { libsodium } = sodium as unknown as { libsodium: Exports };
const [malloc, free] = [libsodium['_malloc'], libsodium['_free']] as [(length: number) => number, (address: number) => void];
const arena = openArena()!;
const random = seeded('arena');

/** An operation on fresh secrets: what must not be found afterwards. */
type Operation = (primitives: Primitives) => (Uint8Array | null)[];

function seal(primitives: Primitives, key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): Uint8Array {
  const text = concat(plaintext, new Uint8Array(16));
  primitives.sealInPlace(key, nonce, text, ad);
  return text;
}

const operations: Record<string, Operation> = {
  'x25519': (primitives) => {
    const secret = random(32);
    return [secret, primitives.x25519(secret, random(32))];
  },
  'x25519, refused': (primitives) => {
    const secret = random(32);
    return [secret, primitives.x25519(secret, new Uint8Array(32))];
  },
  'x25519PublicKey': (primitives) => {
    const secret = random(32);
    return [secret, primitives.x25519PublicKey(secret)];
  },
  'ed25519PublicKey': (primitives) => {
    const seed = random(32);
    return [seed, primitives.ed25519PublicKey(seed)];
  },
  'ed25519Sign': (primitives) => {
    const [seed, message] = [random(32), random(200)];
    return [seed, message, primitives.ed25519Sign(seed, message)];
  },
  'ed25519Verify': (primitives) => {
    const [seed, message] = [random(32), random(200)];
    const [publicKey, signature] = [arena.ed25519PublicKey(seed), arena.ed25519Sign(seed, message)];
    expect(primitives.ed25519Verify(publicKey, message, signature)).toBe(true);
    return [publicKey, message, signature];
  },
  'ed25519Verify, refused': (primitives) => {
    const [publicKey, message, signature] = [arena.ed25519PublicKey(random(32)), random(200), random(64)];
    expect(primitives.ed25519Verify(publicKey, message, signature)).toBe(false);
    return [publicKey, message, signature];
  },
  'xwingPublicKey': (primitives) => {
    const seed = random(32);
    return [seed, primitives.xwingPublicKey(seed)];
  },
  'xwingEncapsulate': (primitives) => {
    const [publicKey, drawn] = [arena.xwingPublicKey(random(32)), random(64)];
    const { ciphertext, sharedSecret } = primitives.xwingEncapsulate(publicKey, drawn)!;
    return [drawn, sharedSecret, ciphertext];
  },
  'xwingEncapsulate, refused': (primitives) => {
    const drawn = random(64);
    expect(primitives.xwingEncapsulate(new Uint8Array(1216), drawn)).toBeNull();
    return [drawn];
  },
  'xwingDecapsulate': (primitives) => {
    const seed = random(32);
    const { ciphertext, sharedSecret } = arena.xwingEncapsulate(arena.xwingPublicKey(seed), random(64))!;
    expect(primitives.xwingDecapsulate(ciphertext, seed)).toEqual(sharedSecret);
    return [seed, sharedSecret];
  },
  'xwingDecapsulate, refused': (primitives) => {
    const seed = random(32);
    expect(primitives.xwingDecapsulate(new Uint8Array(1120), seed)).toBeNull();
    return [seed];
  },
  'blake2b without a key': (primitives) => {
    const message = random(200);
    return [message, primitives.blake2b(32, message, null)];
  },
};

for (const length of [1, 16, 63, 64, 65, 127, 128, 129, 412, 4_000, 65_536]) {
  operations[`seal, ${length} bytes`] = (primitives) => {
    const [key, plaintext] = [random(32), random(length)];
    return [key, plaintext, seal(primitives, key, random(24), plaintext, random(60))];
  };
  operations[`open, ${length} bytes`] = (primitives) => {
    const [key, nonce, plaintext, ad] = [random(32), random(24), random(length), random(32)];
    expect(primitives.open(key, nonce, seal(arena, key, nonce, plaintext, ad), ad)).toEqual(plaintext);
    return [key, plaintext];
  };
  operations[`open, ${length} bytes, refused`] = (primitives) => {
    const key = random(32);
    expect(primitives.open(key, random(24), random(length + 16), random(60))).toBeNull();
    return [key];
  };
  operations[`blake2b, ${length} bytes`] = (primitives) => {
    const [key, message] = [random(32), random(length)];
    return [key, message, primitives.blake2b(64, message, key)];
  };
  operations[`derive, ${length} bytes`] = (primitives) => {
    const [key, message] = [random(32), random(length)];
    return [key, message, ...Object.values(primitives.derive(message, key))];
  };
}

/** Whether any 16 bytes in a row of a secret are in memory: then so are eight that begin at a multiple of eight. */
function isFound(secret: Uint8Array): boolean {
  const memory = Buffer.from(libsodium.HEAPU8.buffer);
  const pieces = Array.from({ length: Math.min(Math.floor(secret.length / 8), 16) }, (_, i) => secret.subarray(8 * i, 8 * i + 8));
  return pieces.some((piece) => memory.includes(Buffer.from(piece)));
}

/** All memory, after the arena has wiped the stack behind whoever was there before. */
function clean(): Uint8Array {
  arena.x25519PublicKey(new Uint8Array(32));
  return libsodium.HEAPU8.slice();
}

/** The first address in all memory where something is other than it was; -1 if there is none. */
function changedSince(before: Uint8Array): number {
  const after = libsodium.HEAPU8;
  return Buffer.from(after.buffer).equals(before) ? -1 : before.findIndex((byte, address) => byte !== after[address]);
}

describe.each(Object.entries(operations))('%s', (_, operate) => {
  it('leaves all memory of libsodium as it was, on the arena', () => {
    const before = clean();
    const secrets = operate(arena);
    expect(changedSince(before)).toBe(-1);
    expect(secrets.filter((secret) => secret && isFound(secret))).toEqual([]);
  });

  it('leaves a secret behind on the wrapper, so that the search can find one', () => {
    const secrets = operate(wrapper);
    expect(secrets.some((secret) => secret && isFound(secret))).toBe(true);
  });
});

describe('the memory of libsodium', () => {
  it('is as it was after a handshake, a talk, forgeries and a refusal', () => {
    const before = clean();
    let { guest, inviter } = pair('residue');
    for (let turn = 0; turn < 5; turn++) {
      const ping = encrypt(guest, random(100 * turn), random, 0);
      inviter = decrypt(inviter, ping.message, random, 0).session;
      expect(codeOf(() => decrypt(inviter, random(512), random, 0))).toBe('undecryptable');
      const pong = encrypt(inviter, random(1_000), random, 0);
      ({ session: guest } = decrypt(ping.session, pong.message, random, 0));
      inviter = pong.session;
    }
    expect(changedSince(before)).toBe(-1);
  });

  it('is as it was after an operation that was refused for its length', () => {
    const before = clean();
    expect(codeOf(() => seal(arena, random(32), random(24), new Uint8Array(100_000).fill(1), random(60)))).toBe('message-too-large');
    expect(changedSince(before)).toBe(-1);
  });

  it('may grow under the arena', () => {
    const [key, nonce, text] = [random(32), random(24), random(300)];
    const sealed = seal(arena, key, nonce, text, nonce);
    const length = libsodium.HEAPU8.length;
    free(malloc(length));
    expect(libsodium.HEAPU8.length).toBeGreaterThan(length);
    const before = clean();
    expect(arena.open(key, nonce, sealed, nonce)).toEqual(text);
    expect(changedSince(before)).toBe(-1);
  });
});

describe('the two back ends', () => {
  const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const key = bytesOf(32);
  const message = fc.uint8Array({ maxLength: 700 });

  it('answer the same, also to what is wrong', () => {
    fc.assert(
      fc.property(key, key, bytesOf(24), message, message, bytesOf(64), (secret, point, nonce, text, ad, random64) => {
        const sealed = seal(wrapper, secret, nonce, text, ad);
        const signature = wrapper.ed25519Sign(secret, text);
        const publicKey = wrapper.ed25519PublicKey(secret);
        const answers = (back: Primitives) => [
          back.x25519(secret, point),
          back.x25519PublicKey(secret),
          back.ed25519PublicKey(secret),
          back.ed25519Sign(secret, text),
          back.ed25519Verify(publicKey, text, signature),
          back.ed25519Verify(point, text, signature),
          back.ed25519Verify(publicKey, ad, signature),
          back.ed25519Verify(publicKey, text, random64),
          seal(back, secret, nonce, text, ad),
          back.open(secret, nonce, sealed, ad),
          back.open(point, nonce, sealed, ad),
          back.open(secret, nonce, sealed, text),
          back.open(secret, nonce, random64, ad),
          back.blake2b(64, text, secret),
          back.blake2b(16, text, null),
          back.derive(text, secret),
        ];
        expect(answers(arena)).toEqual(answers(wrapper));
      }),
      { numRuns: 60 },
    );
  });

  it('answer the same in X-Wing, also to a changed key or ciphertext', () => {
    fc.assert(
      fc.property(key, bytesOf(64), fc.nat(1119), (seed, drawn, at) => {
        const publicKey = wrapper.xwingPublicKey(seed);
        const { ciphertext } = wrapper.xwingEncapsulate(publicKey, drawn)!;
        const answers = (back: Primitives) => [
          back.xwingPublicKey(seed),
          back.xwingEncapsulate(publicKey, drawn),
          back.xwingEncapsulate(publicKey.with(at, publicKey[at]! ^ 0xff), drawn),
          back.xwingDecapsulate(ciphertext, seed),
          back.xwingDecapsulate(ciphertext.with(at, ciphertext[at]! ^ 1), seed),
        ];
        expect(answers(arena)).toEqual(answers(wrapper));
      }),
      { numRuns: 20 },
    );
  });
});

describe.each(['arena', 'wrapper'] as const)('the door, with the %s behind it', (backEnd) => {
  const key = random(32);
  const nonce = random(24);
  const none = new Uint8Array(0);
  const longest = new Uint8Array(door.INPUT_MAX_BYTES);
  const longer = new Uint8Array(door.INPUT_MAX_BYTES + 1);

  it('takes inputs up to a relay frame, and refuses longer ones', async () => {
    expect(await door.readyOn(backEnd)).toBe(backEnd);
    expect(longest).toHaveLength(FRAME_MAX_BYTES);
    const sealed = door.seal(key, nonce, longest, none);
    expect(door.open(key, nonce, sealed, none)).toEqual(longest);
    expect(door.ed25519Verify(door.ed25519PublicKey(key), longest, door.ed25519Sign(key, longest))).toBe(true);
    expect(door.blake2b(64, longest, key)).toHaveLength(64);
    expect(codeOf(() => door.seal(key, nonce, longest, key))).toBe('message-too-large');
    expect(codeOf(() => door.ed25519Sign(key, longer))).toBe('message-too-large');
    expect(codeOf(() => door.blake2b(64, longer, key))).toBe('message-too-large');
    expect(Object.values(door.derive(longest, key)).map((half) => half.length)).toEqual([32, 32]);
    expect(codeOf(() => door.derive(longer, key))).toBe('message-too-large');
    expect(door.open(key, nonce, sealed, key)).toBeNull();
    expect(door.ed25519Verify(door.ed25519PublicKey(key), longer, wrapper.ed25519Sign(key, longer))).toBe(false);
    expect(door.open(key, nonce, seal(wrapper, key, nonce, longer, none), none)).toBeNull();
    expect(door.open(key, nonce, door.seal(key, nonce, none, none), none)).toEqual(none);
  });

  it('takes keys of BLAKE2b and makes hashes of 16 to 64 bytes', async () => {
    expect(await door.readyOn(backEnd)).toBe(backEnd);
    for (const length of [16, 64]) {
      expect(door.blake2b(length, none, new Uint8Array(length))).toHaveLength(length);
      expect(door.derive(none, new Uint8Array(length)).left).toHaveLength(32);
    }
  });

  it('calls a wrong length of ours a mistake, and answers no to a wrong length of theirs', async () => {
    expect(await door.readyOn(backEnd)).toBe(backEnd);
    const short = key.subarray(1);
    const mistakes = [
      () => door.x25519(short, key),
      () => door.x25519PublicKey(short),
      () => door.ed25519PublicKey(short),
      () => door.ed25519Sign(short, none),
      () => door.xwingPublicKey(short),
      () => door.xwingEncapsulate(new Uint8Array(1216), short),
      () => door.xwingDecapsulate(new Uint8Array(1120), short),
      () => door.seal(short, nonce, none, none),
      () => door.seal(key, key, none, none),
      () => door.sealInPlace(key, nonce, new Uint8Array(15), none),
      () => door.derive(none, nonce.subarray(0, 15)),
      () => door.open(short, nonce, key, none),
      () => door.open(key, key, key, none),
      () => door.blake2b(32, none, nonce.subarray(0, 15)),
      () => door.derive(none, new Uint8Array(65)),
      () => door.blake2b(15, none, key),
      () => door.blake2b(65, none, key),
      () => door.blake2b(32, none, new Uint8Array(65)),
    ];
    expect(mistakes.map(codeOf)).toEqual(mistakes.map(() => 'internal'));
    expect(door.x25519(key, short)).toBeNull();
    expect(door.ed25519Verify(short, none, new Uint8Array(64))).toBe(false);
    expect(door.ed25519Verify(key, none, new Uint8Array(63))).toBe(false);
    const publicKey = door.xwingPublicKey(key);
    const { ciphertext } = door.xwingEncapsulate(publicKey, new Uint8Array(64))!;
    for (const other of [publicKey.subarray(1), concat(publicKey, Uint8Array.of(0))]) expect(door.xwingEncapsulate(other, new Uint8Array(64))).toBeNull();
    for (const other of [ciphertext.subarray(1), concat(ciphertext, Uint8Array.of(0))]) expect(door.xwingDecapsulate(other, key)).toBeNull();
    expect(door.open(key, nonce, new Uint8Array(15), none)).toBeNull();
  });
});

describe('an arena', () => {
  /** libsodium with one function put in another's place. */
  function altered(name: string, other: unknown): Exports {
    return new Proxy(libsodium, { get: (target, property) => (property === name ? other : target[property as string]) });
  }

  function original(name: string): (...inputs: number[]) => number {
    return libsodium[name] as (...inputs: number[]) => number;
  }

  it('is not opened where a function is missing', () => {
    expect(openArena(altered('_crypto_kem_xwing_dec', undefined))).toBeNull();
  });

  it('is not opened where there is no memory for it', () => {
    expect(openArena(altered('_malloc', () => 0))).toBeNull();
  });

  it('is not opened where a function answers wrongly', () => {
    const hash = (...[at, ...inputs]: number[]) => {
      original('_crypto_generichash')(at!, ...inputs);
      libsodium.HEAPU8[at!]! ^= 1;
      return 0;
    };
    expect(openArena(altered('_crypto_generichash', hash))).toBeNull();
    for (const name of ['_crypto_sign_verify_detached', '_crypto_kem_xwing_enc_deterministic']) expect(openArena(altered(name, () => -1))).toBeNull();
  });

  /** A function that also changes a byte that is not its own. */
  function straying(name: string, stray: number): Exports {
    onTestFinished(() => void (libsodium.HEAPU8[stray] = 0));
    return altered(name, (...inputs: number[]) => {
      libsodium.HEAPU8[stray]! += 1;
      return original(name)(...inputs);
    });
  }

  it('is not opened where a function leaves something outside of arena and stack', () => {
    expect(openArena(straying('_crypto_kem_xwing_dec', malloc(1)))).toBeNull();
    expect(openArena(libsodium)).not.toBeNull();
  });

  it.each([['below', 8], ['above', malloc(1)]])('wipes no memory before it is sure of the stack: traces %s it', (_, stray) => {
    const deepInTheStack = 107_152 - 20_000;
    libsodium.HEAPU8[deepInTheStack] = 77;
    expect(openArena(straying('_crypto_sign_seed_keypair', stray))).toBeNull();
    expect(libsodium.HEAPU8[deepInTheStack]).toBe(77);
    expect(openArena(libsodium)).not.toBeNull();
    expect(libsodium.HEAPU8[deepInTheStack]).toBe(0);
  });
});

describe('ready', () => {
  it('keeps the back end until another is named', async () => {
    expect(await door.readyOn('wrapper')).toBe('wrapper');
    expect(await door.ready()).toBe('wrapper');
    expect(await door.readyOn('arena')).toBe('arena');
    expect(await door.ready()).toBe('arena');
  });

  it('takes the arena if nothing is named, and the wrapper where the arena cannot be had', async () => {
    vi.resetModules();
    const fresh = await import('../../crypto/sodium.js');
    expect(() => fresh.x25519PublicKey(new Uint8Array(32))).toThrow(expect.objectContaining({ code: 'internal' }));
    expect(await fresh.ready()).toBe('arena');

    vi.resetModules();
    onTestFinished(() => void Object.assign(libsodium, { _malloc: malloc }));
    let isFirst = true;
    // The arena asks first, and then the wrapper.
    Object.assign(libsodium, { _malloc: (length: number) => {
      const isRefused = isFirst;
      isFirst = false;
      return isRefused ? 0 : malloc(length);
    } });
    const without = await import('../../crypto/sodium.js');
    expect(await without.ready()).toBe('wrapper');
    expect(without.x25519PublicKey(new Uint8Array(32))).toEqual(arena.x25519PublicKey(new Uint8Array(32)));
  });

  it('refuses the wrapper of a libsodium that answers wrongly', async () => {
    vi.resetModules();
    const { crypto_sign_verify_detached: verify } = sodium;
    onTestFinished(() => void Object.assign(sodium, { crypto_sign_verify_detached: verify }));
    Object.assign(sodium, { crypto_sign_verify_detached: () => false });
    const fresh = await import('../../crypto/sodium.js');
    await expect(fresh.readyOn('wrapper')).rejects.toMatchObject({ code: 'internal' });
    expect(await fresh.readyOn('arena')).toBe('arena');
  });
});
