// The shape of the house (ARCHITECTURE.md): which room may import from which, no circles, and which rooms are pure.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Room → rooms it may import from, besides itself. A room is the longest name that begins a file's path. */
const ARROWS: Record<string, readonly string[]> = {
  'crypto': [],
  'relay/wire': ['crypto'],
  'relay/core': ['relay/wire', 'crypto'],
  'relay/stores': ['relay/core', 'relay/wire', 'crypto'],
  'relay/turn': ['crypto'],
  'relay': ['relay/core', 'relay/stores', 'relay/turn', 'relay/wire', 'crypto'],
  'client/core': ['relay/wire', 'crypto'],
  'client/stores': ['client/core', 'crypto'],
  'client/transports': ['client/core', 'relay/wire', 'crypto'],
  'client': ['client/core', 'client/stores', 'client/transports', 'relay/wire', 'crypto'],
  'client/cli': ['client', 'client/core', 'client/transports', 'crypto'],
  'bin': ['client/cli', 'relay'],
};

/** Room → packages it may import. Nothing else of the house touches them. */
const PACKAGES: Record<string, readonly string[]> = {
  'crypto': ['libsodium-wrappers', 'libsodium-wrappers-sumo'],
  'relay/wire': ['@bufbuild/protobuf'],
  'relay/core': ['@bufbuild/protobuf'],
  'client/core': ['@bufbuild/protobuf'],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

function sources(): string[] {
  return ['bin', 'crypto', 'relay', 'client'].flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)))
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts')).map(normalize);
}

function importsOf(file: string): string[] {
  return ts.preProcessFile(readFileSync(join(root, file), 'utf8'), true, true).importedFiles.map(({ fileName }) => fileName);
}

function withoutComments(file: string): string {
  return readFileSync(join(root, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
}

function roomOf(file: string): string {
  const rooms = Object.keys(ARROWS).filter((room) => file.startsWith(`${room}/`));
  return rooms.toSorted((a, b) => b.length - a.length)[0] ?? '';
}

const files = sources();
const local: Import[] = files.flatMap((from) => importsOf(from).filter((name) => name.startsWith('.')).map((name) => {
  const target = relative(root, join(root, dirname(from), name)).replace(/\.js$/, '');
  return { from, to: files.find((file) => file.replace(/\.tsx?$/, '') === target) ?? target };
}));

describe('the house', () => {
  it('has a room for every file', () => {
    expect(files.length).toBeGreaterThan(30);
    expect(files.filter((file) => roomOf(file) === '')).toEqual([]);
  });

  it('lets data go one way: every arrow between rooms is allowed', () => {
    const wrong = local.filter(({ from, to }) => roomOf(from) !== roomOf(to) && !ARROWS[roomOf(from)]!.includes(roomOf(to)));
    expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  it('has no circles between files, types counted', () => {
    expect(circle(files, (file) => local.filter(({ from }) => from === file).map(({ to }) => to))).toBeNull();
  });

  it('has no circles between rooms', () => {
    expect(circle(Object.keys(ARROWS), (room) => ARROWS[room]!)).toBeNull();
  });

  it('keeps packages in the rooms that own them, and machine modules out of the pure ones', () => {
    const wrong = files.flatMap((file) => {
      const allowed = PACKAGES[roomOf(file)];
      const names = importsOf(file).filter((name) => !name.startsWith('.'));
      return allowed === undefined ? [] : names.filter((name) => !allowed.some((allow) => name === allow || name.startsWith(`${allow}/`))).map((name) => `${file} -> ${name}`);
    });
    expect(wrong).toEqual([]);
  });

  it('asks neither clock nor chance in the pure rooms', () => {
    const pure = files.filter((file) => ['crypto', 'client/core', 'relay/core', 'relay/wire'].includes(roomOf(file)));
    const wrong = pure.filter((file) => /\bDate\.now\b|\bnew Date\b|\bMath\.random\b|\bgetRandomValues\b|\bsetTimeout\b|\bprocess\.|\bconsole\./.test(withoutComments(file)));
    expect(wrong).toEqual([]);
  });

  it('lets only one room know libsodium', () => {
    const importers = files.filter((file) => importsOf(file).some((name) => name.startsWith('libsodium')));
    expect(importers.filter((file) => roomOf(file) !== 'crypto')).toEqual([]);
  });

  it('checks purity with the compiler too', () => {
    const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.pure.json'), 'utf8')) as { include: string[] };
    expect(include).toEqual(expect.arrayContaining(['crypto', 'client/core', 'relay/core', 'relay/wire']));
  });
});

describe('the lock file', () => {
  const packages = (JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, { optionalDependencies?: Record<string, string>; resolved?: string }> }).packages;

  it('is complete for other platforms', () => {
    const names = Object.keys(packages);
    const missing = Object.values(packages).flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {})).filter((name) => !names.some((path) => path.endsWith(`node_modules/${name}`)));
    expect(missing).toEqual([]);
  });

  it('names no registry', () => {
    expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined && /^https?:/.test(resolved))).toEqual([]);
  });
});

function circle(nodes: readonly string[], next: (node: string) => readonly string[]): readonly string[] | null {
  const done = new Set<string>();
  const walk = (node: string, path: readonly string[]): readonly string[] | null => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return null;
    done.add(node);
    for (const other of next(node)) {
      const found = walk(other, [...path, node]);
      if (found !== null) return found;
    }
    return null;
  };
  for (const node of nodes) {
    const found = walk(node, []);
    if (found !== null) return found;
  }
  return null;
}
