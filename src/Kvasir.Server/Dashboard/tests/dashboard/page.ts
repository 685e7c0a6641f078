import { test as base, expect, type Page } from 'playwright/test';

export { expect };

/** Whether KVASIR_URL names a server: then states that only the pretended ones can be put into are skipped. */
export const realServer = Boolean(process.env['KVASIR_URL']);
export { emptyUrl, keyedUrl } from './servers';

/** A page that must neither violate the policy, nor throw, nor complain, but for what a test expects. */
export const test = base.extend<{ complaints: string[]; allowed: RegExp[] }>({
  allowed: [],
  complaints: [async ({ page, allowed }, use) => {
    const complaints: string[] = [];
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await use(complaints);
    expect(complaints.filter((text) => !allowed.some((pattern) => pattern.test(text)))).toEqual([]);
  }, { auto: true }],
});

/** Opens the page, with the key if one is needed, and waits for live numbers. */
export async function open(page: Page, url = '/'): Promise<void> {
  const key = process.env['KVASIR_KEY'];
  if (key) await page.addInitScript((value) => sessionStorage.setItem('kvasir-api-key', value), key);
  await page.goto(url);
  await expect(page.getByTestId('connection')).toHaveAttribute('data-state', 'live');
}

/** JSON from the server, asked by the page itself. */
export const fetchJson = <T>(page: Page, path: string): Promise<T> =>
  page.evaluate(async (at) => {
    const key = sessionStorage.getItem('kvasir-api-key');
    return (await fetch(at, { headers: key ? { Authorization: `Bearer ${key}` } : {} })).json();
  }, path) as Promise<T>;

/** Sends a message and waits for the end of the answer. */
export async function say(page: Page, message: string): Promise<void> {
  await page.getByLabel('Message').fill(message);
  await page.keyboard.press('Enter');
  await expect(page.locator('#chat-send')).toBeVisible({ timeout: 20_000 });
}

/** A message long enough to fill blocks, and unlike any other. */
export const longMessage = (): string =>
  `Tell the story ${Date.now()} again. ${'Solveig went out to the great hall and found a green bell under the old bridge. '.repeat(6)}`;
