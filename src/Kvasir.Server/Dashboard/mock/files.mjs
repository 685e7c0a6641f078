import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const files = {
  '/': ['/index.html', 'text/html; charset=utf-8'],
  '/assets/kvasir.js': ['/assets/kvasir.js', 'text/javascript; charset=utf-8'],
  '/assets/kvasir.css': ['/assets/kvasir.css', 'text/css; charset=utf-8'],
};

/** What the real server sends, and stricter: with trusted types, a script that sets innerHTML fails. */
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
  + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

export async function serveFile(path, response) {
  const file = files[path];
  if (!file) return response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not found\n');
  const content = await readFile(dist + file[0]);
  response.writeHead(200, {
    'Content-Type': file[1], 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-cache',
  });
  response.end(content);
}
