// The built command as people run it: real processes, real files, real sockets on 127.0.0.1. Everything started here is ended
// here, by its own process id.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The built command. */
export const SOTTO = fileURLToPath(new URL('../../dist/bin/sotto.js', import.meta.url));
/** Generous bound on anything that is waited for: nothing takes so long but what will not come. */
const PATIENCE_MS = 60_000;

export type Json = Record<string, unknown>;

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** The output read as one JSON object. */
  readonly json: Json;
}

/** A folder for one story, and everything that lives in it. */
export class Story {
  readonly folder = mkdtempSync(join(tmpdir(), 'sotto-story-'));
  readonly #processes = new Set<ChildProcess>();

  home(name: string): string {
    return join(this.folder, name);
  }

  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    const child = spawn(process.execPath, [SOTTO, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1', ...env } });
    this.#processes.add(child);
    child.once('exit', () => this.#processes.delete(child));
    return new Running(child);
  }

  /** Runs a command to its end. */
  async run(args: readonly string[], input = ''): Promise<Finished> {
    const running = this.start(args);
    running.child.stdin!.end(input);
    return running.finished();
  }

  /** Runs a command with --json that must succeed, and gives its object. */
  async json(args: readonly string[], input = ''): Promise<Json> {
    const { code, out, err, json } = await this.run([...args, '--json'], input);
    if (code !== 0) throw new Error(`sotto ${args.join(' ')} ended with ${String(code)}: ${out}${err}`);
    return json;
  }

  /** A relay on a fixed port, so that it can be killed and started again. */
  async relay(port: number): Promise<Running> {
    const relay = this.start(['relay', '--port', String(port), '--stun-port', '0', '--data', join(this.folder, 'relay'), '--json']);
    await relay.line((line) => line.includes('listening'));
    return relay;
  }

  /** Two homes on one relay that are contacts of each other: Alice has invited Bob. */
  async acquaint(port: number): Promise<{ readonly alice: string; readonly bob: string }> {
    const [alice, bob] = [this.home('alice'), this.home('bob')];
    await this.json(['init', '--name', 'Alice', '--home', alice, '--relay', `http://127.0.0.1:${port}`]);
    await this.json(['init', '--name', 'Bob', '--home', bob, '--relay', `http://127.0.0.1:${port}`]);
    const { link } = await this.json(['invite', '--home', alice]);
    await this.json(['accept', String(link), '--home', bob]);
    return { alice, bob };
  }

  async end(): Promise<void> {
    const ended = [...this.#processes].map(async (child) => {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    });
    await Promise.all(ended);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A process that runs. */
export class Running {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  err = '';
  readonly #watchers = new Set<() => void>();
  readonly #closed: Promise<unknown>;

  constructor(child: ChildProcess) {
    this.child = child;
    createInterface({ input: child.stdout! }).on('line', (line) => {
      this.lines.push(line);
      for (const watch of this.#watchers) watch();
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => { this.err += text; });
    this.#closed = once(child, 'close');
  }

  /** The first line, from the beginning, for which this holds. */
  line(holds: (line: string) => boolean, patienceMs = PATIENCE_MS): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(() => reject(new Error(`the line did not come in ${patienceMs} ms; there were:\n${this.lines.slice(-20).join('\n')}\n${this.err}`))), patienceMs);
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(watch);
        act();
      };
      const watch = (): void => {
        const line = this.lines.find(holds);
        if (line !== undefined) finish(() => resolve(line));
      };
      this.#watchers.add(watch);
      watch();
    });
  }

  events(): Json[] {
    return this.lines.map((line) => JSON.parse(line) as Json);
  }

  /** Texts of `sotto listen --json`, as printed. */
  texts(): string[] {
    return this.events().filter(({ type }) => type === 'message').map(({ text }) => String(text));
  }

  async finished(): Promise<Finished> {
    await this.#closed;
    const out = this.lines.join('\n');
    return { code: this.child.exitCode, out, err: this.err, get json() { return JSON.parse(out) as Json; } };
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT' = 'SIGKILL'): Promise<void> {
    this.child.kill(signal);
    await this.#closed;
  }
}

/** Waits until something holds, asking again and again. */
export async function eventually<T>(ask: () => Promise<T>, holds: (value: T) => boolean, patienceMs = PATIENCE_MS): Promise<T> {
  const end = Date.now() + patienceMs;
  for (;;) {
    const value = await ask();
    if (holds(value)) return value;
    if (Date.now() > end) throw new Error(`it did not come true in ${patienceMs} ms; last: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
