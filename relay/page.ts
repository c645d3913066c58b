// What the relay says over HTTP: that it is alive, and to a person with a browser what a link is for. It must
// never see the link itself: the secret part stands behind the # and stays in the browser.

import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import express, { type ErrorRequestHandler, type Express } from 'express';
import helmet from 'helmet';

const STYLE = `
:root { color-scheme: light dark; }
body { max-width: 38rem; margin: 12vh auto; padding: 0 1.25rem; font: 1.05rem/1.6 system-ui, sans-serif; }
h1 { font-size: 1.6rem; font-weight: 600; }
pre { padding: .9rem 1.1rem; white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .5rem; }
small { opacity: .75; }
`;

function pageSaying(words: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sotto relay</title>
<style>${STYLE}</style>
<h1>This is a Sotto relay</h1>
<p>Sotto is a messenger without accounts. Messages are sealed on the sender's device and opened on the receiver's; a relay
like this one keeps them until they are collected and cannot read them.</p>
${words}
</html>
`;
}

/** What both pages say about using a link. */
const HOW = `<p>You need the program Sotto: ask them for the address of its project, clone it with git, and type <code>npm ci</code> in its
folder (Node.js 20.19 or newer). Then copy the whole link from the address bar, also what follows the <b>#</b>, and give it to the
program in that folder, in quotes:</p>
<pre>npx sotto accept "THE WHOLE LINK"</pre>
<p>If you have no identity yet, the program says how to make one at this relay. Do that, and give it the link again.</p>`;
const KEY = 'The part behind the # is its key; your browser has not sent it to this relay.';
const INVITATION = `<p>Somebody may have sent you here with an invitation.</p>
${HOW}
<p><small>An invitation works once. ${KEY}</small></p>`;
const ADDRESS = `<p>This is the address of somebody who lets everybody ask to be their contact.</p>
${HOW}
<p><small>What you write waits until they approve it. The link is good for everybody who has it. ${KEY}</small></p>`;

/**
 * The HTTP side of a relay: GET /health, GET /ready, and a page at / and /i, and one at /a, that need no script and load nothing.
 * @param problems why the relay takes nothing new; empty if it does
 * @param admits whether a request may be answered
 */
export function createPage(problems: () => readonly string[], admits: (request: IncomingMessage) => Promise<boolean>): Express {
  const page = express();
  page.set('etag', false);
  page.use(
    helmet({
      // Whoever ends TLS in front of us answers for the whole domain; we cannot.
      strictTransportSecurity: false,
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          styleSrc: [`'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`],
          baseUri: ["'none'"],
          formAction: ["'none'"],
          frameAncestors: ["'none'"],
        },
      },
    }),
  );
  page.use((request, response, next) => {
    void admits(request).then((admitted) => {
      if (admitted) next();
      else response.status(429).set('retry-after', '60').type('text').send('Too many requests\n');
    });
  });
  page.get('/ready', (_, response) => {
    const wrong = problems();
    response.status(wrong.length === 0 ? 200 : 503).json({ status: wrong.length === 0 ? 'ready' : 'not ready', problems: wrong });
  });
  page.get('/health', (_, response) => void response.json({ status: 'ok' }));
  page.get(['/', '/i'], (_, response) => void response.type('html').send(pageSaying(INVITATION)));
  page.get('/a', (_, response) => void response.type('html').send(pageSaying(ADDRESS)));
  page.use((_, response) => void response.status(404).type('text').send('Not found\n'));
  page.use(refuse);
  return page;
}

/** Express would print what it could not read, and with it the address that was asked for. */
const refuse: ErrorRequestHandler = (_error, _request, response, _next) => {
  response.status(400).type('text').send('Bad request\n');
};
