import { existsSync } from 'node:fs';
import { defineConfig } from 'playwright/test';
import { emptyUrl, keyedUrl, plainUrl } from './tests/dashboard/servers';

/** KVASIR_URL: a server to test, with KVASIR_KEY if it wants a key. Without it the pretended servers of mock/ are started. */
const url = process.env['KVASIR_URL'];
const browser = process.env['KVASIR_CHROMIUM'] ?? (existsSync('/usr/bin/chromium') ? '/usr/bin/chromium' : undefined);

const mock = (at: string, ...options: string[]) =>
  ({ command: `node mock/server.mjs --port ${new URL(at).port} ${options.join(' ')}`, url: at, reuseExistingServer: false });

export default defineConfig({
  testDir: 'tests/dashboard',
  timeout: 120_000, // machines that do other things, too
  expect: { timeout: 20_000 },
  workers: 1,
  reporter: 'list',
  use: {
    baseURL: url ?? plainUrl,
    colorScheme: 'light',
    viewport: { width: 1440, height: 900 },
    launchOptions: { args: ['--no-sandbox'], ...(browser && { executablePath: browser }) },
  },
  ...(!url && {
    webServer: [mock(plainUrl, '--quiet'), mock(keyedUrl, '--quiet', '--key', 'right-key'), mock(emptyUrl, '--empty', '--no-text')],
  }),
});
