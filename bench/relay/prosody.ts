// Prosody, an XMPP server with offline messages on files (RFC 6121, XEP-0160), spoken by hand over TCP. XMPP does not answer a
// message; the answer to a ping behind it stands in for that, and means: written, not flushed.

import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { connectTo, gather, type Broker } from './broker.js';

const STREAM = `<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`;

/** More pairs than any bench has: each needs two accounts before the server starts. */
const PAIRS = 4_000;

const CONFIG = (folder: string, port: number): string => `
daemonize = false
run_as_root = true
pidfile = "${folder}/prosody.pid"
data_path = "${folder}"
interfaces = { "127.0.0.1" }
c2s_ports = { ${port} }
s2s_ports = { }
modules_enabled = { "saslauth", "offline", "ping", "presence", "message", "iq" }
modules_disabled = { "s2s", "tls" }
authentication = "internal_plain"
allow_unencrypted_plain_auth = true
c2s_require_encryption = false
log = { error = "*console" }
VirtualHost "localhost"
`;

async function open(port: number, user: string, onStanza: (stanza: string) => void): Promise<Socket> {
  const socket = connectTo(port).setEncoding('latin1');
  let kept = '';
  const expect = async (what: string): Promise<void> => {
    while (!kept.includes(what)) kept += String((await once(socket, 'data'))[0]);
    kept = kept.slice(kept.indexOf(what) + what.length);
  };
  socket.write(STREAM);
  await expect('</stream:features>');
  socket.write(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from(`\0${user}\0secret`).toString('base64')}</auth>`);
  await expect('<success');
  socket.write(STREAM);
  await expect('</stream:features>');
  socket.write(`<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>bench</resource></bind></iq>`);
  await expect('</iq>');
  socket.on('data', (data: Buffer | string) => {
    kept += String(data);
    let end = 0;
    for (const match of kept.matchAll(/<message[\s\S]*?<\/message>|<iq[^>]*?\/>|<iq[\s\S]*?<\/iq>/g)) {
      end = match.index + match[0].length;
      onStanza(match[0]);
    }
    kept = kept.slice(end);
  });
  return socket;
}

export const prosody: Broker = {
  name: 'Prosody 0.12, offline files, not flushed',
  isOnDisk: true,

  command(folder, port) {
    const accounts = join(folder, 'localhost', 'accounts');
    mkdirSync(accounts, { recursive: true });
    for (let pair = 0; pair < PAIRS; pair += 1) for (const role of ['r', 's']) writeFileSync(join(accounts, `${role}${pair}.dat`), 'return { ["password"] = "secret"; };\n');
    const file = join(folder, 'prosody.cfg.lua');
    writeFileSync(file, CONFIG(folder, port));
    return ['prosody', '--config', file, '-F'];
  },

  async receiver(port, pair, onMessage) {
    const socket = await open(port, `r${pair}`, (stanza) => {
      const payload = /<body>(.*)<\/body>/s.exec(stanza)?.[1];
      if (payload !== undefined) onMessage(payload);
    });
    socket.write('<presence/>');
    return {
      leave: async () => {
        socket.end(`<presence type='unavailable'/></stream:stream>`);
        await once(socket, 'close');
      },
    };
  },

  async sender(port, pair) {
    const waiting = new Map<string, () => void>();
    const socket = await open(port, `s${pair}`, (stanza) => {
      const id = /^<iq[^>]* id='(\w+)'/.exec(stanza)?.[1] ?? '';
      waiting.get(id)?.();
      waiting.delete(id);
    });
    let last = 0;
    return {
      send(payload) {
        last += 1;
        const id = `p${last}`;
        gather(socket).write(`<message to='r${pair}@localhost' type='chat'><body>${payload}</body></message><iq type='get' to='localhost' id='${id}'><ping xmlns='urn:xmpp:ping'/></iq>`);
        return new Promise((resolve) => waiting.set(id, resolve));
      },
      close: () => void socket.destroy(),
    };
  },
};
