import { existsSync } from 'node:fs';
import { defineConfig } from 'playwright/test';

/** KVASIR_URL: a server to test, with KVASIR_KEY if it wants a key. Without it the pretended servers of mock/ are started. */
const url = process.env['KVASIR_URL'];
const browser = process.env['KVASIR_CHROMIUM'] ?? (existsSync('/usr/bin/chromium') ? '/usr/bin/chromium' : undefined);

const mock = (port: number, ...options: string[]) =>
  ({ command: `node mock/server.mjs --port ${port} ${options.join(' ')}`, url: `http://127.0.0.1:${port}/`, reuseExistingServer: false });

export default defineConfig({
  testDir: 'tests/dashboard',
  timeout: 30_000,
  workers: 1,
  reporter: 'list',
  use: {
    baseURL: url ?? 'http://127.0.0.1:8391',
    colorScheme: 'light',
    viewport: { width: 1440, height: 900 },
    launchOptions: { args: ['--no-sandbox'], ...(browser && { executablePath: browser }) },
  },
  ...(!url && {
    webServer: [mock(8391, '--quiet'), mock(8392, '--quiet', '--key', 'right-key'), mock(8393, '--empty', '--no-text')],
  }),
});
