import { expect, keyedUrl, realServer, open, test } from './page';

test.describe('a server with keys', () => {
  test.use({ allowed: [/401/] });
  test.skip(realServer, 'needs a server with a known key');

  test('asks for the key, refuses a wrong one, and goes on with the right one', async ({ page }) => {
    await page.goto(keyedUrl);
    const dialog = page.getByRole('dialog', { name: 'API key' });
    await expect(dialog).toContainText('The server asks for an API key.');
    await expect(page.getByTestId('connection')).toContainText('An API key is needed');
    await dialog.getByLabel('Key').fill('wrong-key');
    await page.keyboard.press('Enter');
    await expect(dialog).toContainText('The server does not accept this key.');
    await dialog.getByLabel('Key').fill('right-key');
    await dialog.getByRole('button', { name: 'Use key' }).click();
    await expect(dialog).toBeHidden();
    await expect(page.getByTestId('connection')).toHaveAttribute('data-state', 'live');
    await expect(page.locator('#request-list > li').first()).toBeVisible();
    expect(page.url()).toBe(keyedUrl);
    await page.reload();
    await expect(page.getByTestId('connection')).toHaveAttribute('data-state', 'live');
  });
});

test.describe('a lost connection', () => {
  test.use({ allowed: [/ERR_|Failed to load/] });

  test('is said, counted down, and taken up again', async ({ page }) => {
    test.skip(realServer, 'needs a page without a key');
    await page.route('**/v1/kv/events', (route) => route.abort());
    await page.goto('/');
    const connection = page.getByTestId('connection');
    await expect(connection).toContainText('Not live: The server cannot be reached.');
    await expect(connection).toContainText(/Trying again in [1-9]\d* s/);
    await page.unroute('**/v1/kv/events');
    await page.getByRole('button', { name: 'Retry now' }).click();
    await expect(connection).toHaveAttribute('data-state', 'live');
  });

  test('a stream that ends is opened again by itself', async ({ page }) => {
    test.skip(realServer, 'needs a page without a key');
    let times = 0;
    await page.route('**/v1/kv/events', (route) =>
      (times++ === 0 ? route.fulfill({ contentType: 'text/event-stream', body: ': ping\n\n' }) : route.continue()));
    await open(page);
    expect(times).toBe(2);
  });
});
