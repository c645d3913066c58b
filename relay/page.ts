// What the relay says over HTTP: that it is alive, and to a person with a browser what an invitation link is for. It must
// never see the link itself: the secret part stands behind the # and stays in the browser.

import { createHash } from 'node:crypto';
import express, { type ErrorRequestHandler, type Express } from 'express';
import helmet from 'helmet';

const STYLE = `
:root { color-scheme: light dark; }
body { max-width: 38rem; margin: 12vh auto; padding: 0 1.25rem; font: 1.05rem/1.6 system-ui, sans-serif; }
h1 { font-size: 1.6rem; font-weight: 600; }
pre { padding: .9rem 1.1rem; overflow-x: auto; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .5rem; }
small { opacity: .75; }
`;

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sotto relay</title>
<style>${STYLE}</style>
<h1>This is a Sotto relay</h1>
<p>Sotto is a messenger without accounts. Messages are sealed on the sender's device and opened on the receiver's; a relay
like this one keeps them until they are collected and cannot read them.</p>
<p>If somebody sent you here with an invitation, you need the program Sotto: ask them for the address of its project, clone it
with git, and type <code>npm ci</code> in its folder (Node.js 20.19 or newer). Then copy the whole link from the address bar,
also what follows the <b>#</b>, and give it to the program in that folder, in quotes:</p>
<pre>npx sotto accept "THE WHOLE LINK"</pre>
<p>If you have no identity yet, the program says how to make one at this relay. Do that, and give it the link again.</p>
<p><small>An invitation works once. The part behind the # is its key; your browser has not sent it to this relay.</small></p>
</html>
`;

/** The HTTP side of a relay: GET /health, and one page at / and /i that needs no script and loads nothing. */
export function createPage(): Express {
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
  page.get('/health', (_, response) => void response.json({ status: 'ok' }));
  page.get(['/', '/i'], (_, response) => void response.type('html').send(PAGE));
  page.use((_, response) => void response.status(404).type('text').send('Not found\n'));
  page.use(refuse);
  return page;
}

/** Express would print what it could not read, and with it the address that was asked for. */
const refuse: ErrorRequestHandler = (_error, _request, response, _next) => {
  response.status(400).type('text').send('Bad request\n');
};
