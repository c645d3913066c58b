// The processes of a bench: a child obeys its parent, in JSON-RPC over the channel that Node gives them. A child ends with its
// parent, whatever becomes of that. Knows nothing of what the methods do.

import { fork } from 'node:child_process';
import { JSONRPCClient, JSONRPCServer, type JSONRPCRequest, type JSONRPCResponse } from 'json-rpc-2.0';

/** Arguments and results are plain JSON. */
type Methods<M> = { readonly [N in keyof M]: (...given: never[]) => unknown };

export interface Child<M extends Methods<M>> {
  /** Rejects with what the method threw, or when the child has ended or does not answer. */
  call<N extends keyof M & string>(method: N, ...given: Parameters<M[N]>): Promise<Awaited<ReturnType<M[N]>>>;
  /** Ends the process; resolves when it is gone. */
  end(): Promise<void>;
}

/** No order takes this long, even on a machine that is busy with something else. */
const ANSWER_MAX_MS = 30_000;

const TYPESCRIPT = ['--import', import.meta.resolve('tsx')];

/** Starts a program of bench/ that calls obey(). @param program its path in bench/. */
export function startChild<M extends Methods<M>>(program: string): Child<M> {
  // A child has no say on stdout, which belongs to the result.
  const child = fork(new URL(program, import.meta.url), { execArgv: TYPESCRIPT, stdio: ['ignore', 2, 2, 'ipc'] });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const rpc = new JSONRPCClient((request: JSONRPCRequest) => void child.send(request));
  child.on('message', (response) => rpc.receive(response as JSONRPCResponse));
  child.on('error', (error) => rpc.rejectAllPendingRequests(error.message));
  child.on('exit', () => rpc.rejectAllPendingRequests(`${program} ended too early`));
  return {
    call: async (method, ...given) => {
      try {
        return await rpc.timeout(ANSWER_MAX_MS).request(method, given);
      } catch (error) {
        throw new Error(`${program} failed to ${method}`, { cause: error });
      }
    },
    end: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** Does what the parent asks for. */
export function obey<M extends Methods<M>>(methods: M): void {
  const rpc = new JSONRPCServer({ errorListener: () => {} });
  for (const [name, method] of Object.entries<(...given: never[]) => unknown>(methods)) {
    rpc.addMethod(name, (given: never[]) => method(...given));
  }
  process.on('message', async (request: JSONRPCRequest) => process.send?.(await rpc.receive(request)));
  process.on('disconnect', () => process.exit());
}
