// How an error crosses between the page and the store's Worker: comlink alone would keep the sentence and lose the code.

import { transferHandlers, type TransferHandler } from 'comlink';
import { SottoError, type ErrorCode } from '../../crypto/error.js';

interface Thrown {
  readonly value: unknown;
}

interface Carried {
  readonly code: ErrorCode;
  readonly sentence: string;
}

/** Lets every error that comlink carries arrive as a SottoError. To be called on both sides, before the first call. */
export function carryErrors(): void {
  const plain = transferHandlers.get('throw') as TransferHandler<Thrown, unknown>;
  const carrying: TransferHandler<Thrown, Carried> = {
    canHandle: (value): value is Thrown => plain.canHandle(value),
    serialize: ({ value }) => {
      const error = value instanceof SottoError ? value : new SottoError('internal', String(value));
      return [{ code: error.code, sentence: error.message }, []];
    },
    deserialize: ({ code, sentence }) => {
      throw new SottoError(code, sentence);
    },
  };
  transferHandlers.set('throw', carrying);
}
