// A Client for other processes of the same person: JSON-RPC 2.0, one JSON object per line, over the socket of the home
// (PROTOCOL.md §10). It moves calls and events; it knows nothing of messages, and trusts nothing that a line says.

import { chmodSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { createJSONRPCErrorResponse, createJSONRPCNotification, JSONRPCClient, JSONRPCErrorCode, JSONRPCServer, type JSONRPCError, type JSONRPCRequest } from 'json-rpc-2.0';
import { z } from 'zod';
import { isErrorCode, SottoError } from '../../crypto/error.js';
import type { Client, ClientEvent } from '../client.js';
import { readLines } from './lines.js';

/** Longest request: the largest message (64 KiB), each byte written as a six-character escape, and what surrounds it. */
export const REQUEST_MAX_CHARACTERS = 6 * 65_536 + 4_096;
/** Longest answer that is read: a page of a thousand of the largest messages, few of which are made of escapes. */
const ANSWER_MAX_CHARACTERS = 128 * 1024 * 1024;
/** A reader that lets this many bytes of events wait has stopped reading; it is let go and catches up when it comes back. */
const BACKLOG_MAX_BYTES = 64 * 1024 * 1024;
/** How long an owner may take to answer, beside what it was asked to wait: longer than it takes to reach a relay. One that is stopped never answers. */
const ANSWER_MAX_MS = 30_000;
/** How long a backup of a large home may take. */
const BACKUP_MAX_MS = 600_000;
/** An owner begins no request this shortly before its caller gives up: what is done unseen would be done again. */
const BEGIN_MARGIN_MS = 5_000;
/** How long the answers of requests under way may take when the home is being closed. */
const DRAIN_MS = 2_000;
/** How long the owner may take to close a connection. */
const GOODBYE_MS = 1_000;
/** JSON-RPC's code of a SottoError; its own code is in `data.code`. */
const SOTTO_ERROR = -32_000;

const UNANSWERED = 'Another process has this home open and does not answer; end it, and look at "sotto history" before you try again.';

type Method = Exclude<keyof Client, 'subscribe' | 'close'>;

const page = z.number().int().nonnegative();
const wait = z.enum(['queued', 'accepted', 'delivered', 'read']);
const direction = z.enum(['in', 'out']);

/** Every method and the shape of its arguments, by place. */
const METHODS = {
  invite: z.tuple([]),
  address: z.tuple([]),
  newAddress: z.tuple([]),
  closeAddress: z.tuple([]),
  requests: z.tuple([]),
  approve: z.tuple([z.string()]),
  refuse: z.tuple([z.string()]),
  accept: z.tuple([z.string()]),
  contacts: z.tuple([]),
  send: z.tuple([z.string(), z.string(), z.strictObject({ wait: wait.exactOptional(), timeoutMs: z.number().nonnegative().exactOptional() })]),
  history: z.tuple([
    z.string().nullable(),
    z.strictObject({ limit: page, before: page.exactOptional(), after: page.exactOptional(), direction: direction.exactOptional() }),
  ]),
  search: z.tuple([z.string(), page]),
  markRead: z.tuple([z.string(), page]),
  status: z.tuple([]),
  verify: z.tuple([z.string()]),
  remove: z.tuple([z.string()]),
  block: z.tuple([z.string()]),
  unblock: z.tuple([z.string()]),
  setPolicy: z.tuple([z.string(), z.enum(['direct', 'relay-only'])]),
  backup: z.tuple([z.string(), z.string().nullable()]),
} satisfies { readonly [M in Method]: z.ZodType<Parameters<Client[M]>> };

/** A Client being served. */
export interface Served {
  /** Takes no more requests; those under way go on. */
  refuse(): void;
  /** Resolves when every request under way is answered. */
  idle(): Promise<void>;
  /** Waits for the answers under way, tells every connection that the home closes, and ends. */
  close(): Promise<void>;
}

/** Serves a client at a socket path. The caller owns the home: what is left at the path by a killed owner is replaced. */
export async function serve(client: Client, path: string): Promise<Served> {
  const sockets = new Set<Socket>();
  const underWay = new Set<Promise<void>>();
  const rpc = methodsOf(client);
  let refusing = false;
  const server = createServer((socket) => {
    sockets.add(socket);
    const unsubscribe = { now: () => {} };
    const answer = async (line: string) => {
      const request = parse(line);
      if (request === null) return send(socket, createJSONRPCErrorResponse(null, JSONRPCErrorCode.ParseError, 'Parse error'));
      // Only an owner that was stopped reads a request so late.
      if (typeof request.deadline === 'number' && request.deadline < Date.now()) return;
      const response = await rpc.receive(request, { socket, unsubscribe }).then(undefined, () => invalidRequest('Invalid Request'));
      if (response) send(socket, response);
    };
    readLines(socket, REQUEST_MAX_CHARACTERS, (line) => {
      if (refusing) return;
      const work = answer(line).finally(() => underWay.delete(work));
      underWay.add(work);
    }, () => socket.end(`${JSON.stringify(invalidRequest('The line is too long'))}\n`));
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      unsubscribe.now();
    });
  });
  if (process.platform !== 'win32') rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  if (process.platform !== 'win32') chmodSync(path, 0o600);
  // Closing the server removes its socket file at once, so that the next owner's is never the one removed.
  const refuse = () => {
    refusing = true;
    server.close();
  };
  return {
    refuse,
    idle: async () => void await Promise.all(underWay),
    close: async () => {
      refuse();
      await within(DRAIN_MS, Promise.all(underWay));
      const ended = [...sockets].map((socket) => new Promise((resolve) => {
        socket.once('close', resolve);
        if (underWay.size === 0) send(socket, createJSONRPCNotification('closing'));
        socket.end();
      }));
      await within(DRAIN_MS, Promise.all(ended));
      for (const socket of sockets) socket.destroy();
    },
  };
}

interface Caller {
  readonly socket: Socket;
  readonly unsubscribe: { now: () => void };
}

function methodsOf(client: Client): JSONRPCServer<Caller> {
  const rpc = new JSONRPCServer<Caller>({ errorListener: () => {} });
  for (const [name, shape] of Object.entries(METHODS)) {
    const method = client[name as Method] as (...args: unknown[]) => Promise<unknown>;
    rpc.addMethod(name, (params) => method.apply(client, shape.parse(params ?? [])));
  }
  rpc.addMethod('subscribe', (_params, { socket, unsubscribe }) => {
    unsubscribe.now();
    unsubscribe.now = client.subscribe((event) => {
      if (socket.writableLength > BACKLOG_MAX_BYTES) socket.destroy();
      else send(socket, createJSONRPCNotification('event', event));
    });
  });
  rpc.mapErrorToJSONRPCErrorResponse = (id, error: unknown) => {
    if (error instanceof SottoError) return createJSONRPCErrorResponse(id, SOTTO_ERROR, error.message, { code: error.code });
    if (error instanceof z.ZodError) return createJSONRPCErrorResponse(id, JSONRPCErrorCode.InvalidParams, z.prettifyError(error), { code: 'option-invalid' });
    return createJSONRPCErrorResponse(id, JSONRPCErrorCode.InternalError, new SottoError('internal').message, { code: 'internal' });
  };
  return rpc;
}

/** A connection to the process that has the home open. */
export interface Connection {
  readonly client: Client;
  /** Resolves when that process has gone, or has closed the home. */
  readonly gone: Promise<void>;
}

/** A request was not begun, because the home was being closed: it may be made again elsewhere. */
export class NotBegun extends Error {}

/** Whether an error means that the owner of the home has gone, and no more than that. */
export function ownerIsGone(error: unknown): boolean {
  return error instanceof NotBegun || (error instanceof SottoError && error.code === 'owner-gone');
}

/** Connects to whoever serves at this path; null if nobody does. Requests reject with `owner-gone` if the owner dies in the middle. */
export async function connect(path: string): Promise<Connection | null> {
  const socket = await dial(path);
  if (!socket) return null;
  const listeners = new Set<(event: ClientEvent) => void>();
  let closing = false;
  const rpc = new JSONRPCClient((request) => send(socket, request));
  const gone = new Promise<void>((resolve) => {
    socket.on('close', () => {
      rpc.rejectAllPendingRequests('gone');
      resolve();
    });
  });
  readLines(socket, ANSWER_MAX_CHARACTERS, (line) => {
    const message = parse(line);
    if (!message) socket.destroy();
    else if (message.method === 'closing') closing = true;
    else if (message.method === 'event') for (const listener of listeners) listener(message.params);
    else rpc.receive(message);
  }, () => socket.destroy());

  let requests = 0;
  const call = async <M extends Method | 'subscribe'>(method: M, ...params: M extends Method ? Parameters<Client[M]> : []) => {
    const options: unknown = params[2];
    const waitMs = method === 'backup' ? BACKUP_MAX_MS : typeof options === 'object' && options !== null && 'timeoutMs' in options ? Number(options.timeoutMs) : 0;
    const request: JSONRPCRequest & { deadline: number } = { jsonrpc: '2.0', id: ++requests, method, params, deadline: Date.now() + ANSWER_MAX_MS - BEGIN_MARGIN_MS };
    const answer = socket.closed ? Promise.resolve(null) : Promise.resolve(rpc.requestAdvanced(request));
    const response = await within(ANSWER_MAX_MS + waitMs, answer);
    if (response === undefined) throw new SottoError('home-in-use', UNANSWERED);
    if (response && !response.error) return response.result;
    if (response?.error.data) throw fromWire(response.error);
    throw closing ? new NotBegun() : new SottoError('owner-gone');
  };

  const client: Client = {
    invite: () => call('invite'),
    address: () => call('address'),
    newAddress: () => call('newAddress'),
    closeAddress: () => call('closeAddress'),
    requests: () => call('requests'),
    approve: (id) => call('approve', id),
    refuse: (id) => call('refuse', id),
    accept: (link) => call('accept', link),
    contacts: () => call('contacts'),
    send: (contact, text, options = {}) => call('send', contact, text, options),
    history: (contact, options) => call('history', contact, options),
    search: (words, limit) => call('search', words, limit),
    markRead: (contact, position) => call('markRead', contact, position),
    status: () => call('status'),
    verify: (contact) => call('verify', contact),
    remove: (contact) => call('remove', contact),
    block: (contact) => call('block', contact),
    unblock: (contact) => call('unblock', contact),
    setPolicy: (contact, policy) => call('setPolicy', contact, policy),
    backup: (file, passphrase) => call('backup', file, passphrase),
    subscribe: (listener) => {
      // The owner takes lines in order: events of whatever is asked after this are not missed.
      if (listeners.size === 0) call('subscribe').catch(() => {});
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: async () => {
      socket.end();
      // An owner that is stopped never says goodbye.
      await within(GOODBYE_MS, gone);
      socket.destroy();
    },
  };
  return { client, gone };
}

function dial(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = createConnection(path, () => resolve(socket));
    socket.on('error', () => resolve(null));
  });
}

function parse(line: string) {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function fromWire(error: JSONRPCError): SottoError {
  const code: unknown = error.data?.code;
  return new SottoError(typeof code === 'string' && isErrorCode(code) ? code : 'internal', error.message);
}

function invalidRequest(message: string): object {
  return createJSONRPCErrorResponse(null, JSONRPCErrorCode.InvalidRequest, message);
}

function send(socket: Socket, value: unknown): void {
  if (socket.writable) socket.write(`${JSON.stringify(value)}\n`);
}

/** What the work resolves with, or undefined when the time is over. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)));
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
