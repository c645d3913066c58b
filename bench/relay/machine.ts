// What the bench `relay` needs of the machine: the peers, installed where that can be done, and a disk that takes its time. Where
// something cannot be had it says so and goes on without.

import { execFileSync, type ExecFileSyncOptions } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The program of a Debian package, and where it lies. */
const PACKAGES = { 'mosquitto': '/usr/sbin/mosquitto', 'nats-server': '/usr/sbin/nats-server', 'prosody': '/usr/bin/prosody' } as const;

/** Of a block as stat() counts them, whatever the file system's own are. */
const BLOCK_BYTES = 512;

export type Package = keyof typeof PACKAGES;

/** Installs what is missing, as root on Debian. Debian starts what it installs, unless it is told that this is no place for that. */
export function installPeers(): void {
  const missing = (Object.keys(PACKAGES) as Package[]).filter((name) => !has(name));
  if (missing.length === 0) return;
  const options: ExecFileSyncOptions = { stdio: ['ignore', 2, 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' } };
  try {
    execFileSync('apt-get', ['update'], options);
    execFileSync('apt-get', ['install', '-y', '--no-install-recommends', ...missing], options);
  } catch {
    process.stderr.write(`Without ${missing.join(', ')}, which cannot be installed from here.\n`);
  }
}

export function has(name: Package): boolean {
  return existsSync(PACKAGES[name]);
}

/** Makes a library that lets every flush of a program take longer, as an ordinary disk does; null without a compiler. */
export function slowFlushes(folder: string, flushMs: number): string | null {
  const [source, library] = [join(folder, 'slow.c'), join(folder, 'slow.so')];
  const slowed = (name: string): string => `int ${name}(int fd) { usleep(${flushMs * 1_000}); return syscall(SYS_${name}, fd); }`;
  writeFileSync(source, `#include <sys/syscall.h>\n#include <unistd.h>\n${slowed('fsync')}\n${slowed('fdatasync')}\n`);
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O', '-w', '-D_GNU_SOURCE', '-o', library, source], { stdio: ['ignore', 2, 2] });
    return library;
  } catch {
    process.stderr.write('Without a slow disk: there is no C compiler here.\n');
    return null;
  }
}

/** Bytes that the disk has set aside for the files of a folder. */
export function bytesOnDisk(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).reduce((sum, name) => sum + statSync(join(folder, name)).blocks * BLOCK_BYTES, 0);
}
