import type { View } from '../../src/contract';
import { emptyUrl, expect, fetchJson, open, realServer, test } from './page';

test('views are those of /v1/kv/views, and the map has the counts of the chosen one', async ({ page }) => {
  await open(page);
  const { views } = await fetchJson<{ views: View[] }>(page, '/v1/kv/views');
  test.skip(views.length === 0, 'needs a server with views');
  const list = page.getByRole('list', { name: 'Views' }).getByRole('button');
  await expect(list).toHaveCount(views.length);
  for (const [at, view] of views.entries()) {
    await list.nth(at).click();
    await expect(list.nth(at)).toHaveAttribute('aria-pressed', 'true');
    const rows = page.getByTestId('heat').locator('tbody tr');
    await expect(rows).toHaveCount(view.kept.length);
    const counts = await rows.evaluateAll((all) => all.map((row) =>
      [...row.querySelectorAll('[data-value]')].map((cell) => Number(cell.getAttribute('data-value')))));
    expect(counts).toEqual(view.kept);
    await expect(page.locator('#heat-title')).toContainText(view.policy);
    const attention = view.mass == null ? 'no rows have looked' : `${(view.mass * 100).toFixed(1)} % of the attention`;
    await expect(list.nth(at)).toContainText(attention);
    await expect(list.nth(at)).toContainText('; a step reads ');
  }
});

test('the chosen view stays chosen when others come', async ({ page }) => {
  test.skip(realServer, 'needs a server in a special state');
  await open(page);
  const list = page.getByRole('list', { name: 'Views' }).getByRole('button');
  await list.nth(1).click();
  const policy = await list.nth(1).getAttribute('title');
  await page.route('**/v1/kv/views*', async (route) => {
    const answer = (await (await route.fetch()).json()) as { views: View[] };
    await route.fulfill({ json: { ...answer, views: [{ ...answer.views[0]!, id: 'new' }, ...answer.views] } });
  });
  await page.evaluate(() => sessionStorage.setItem('kvasir-api-key', 'x'));
  await page.getByRole('button', { name: 'API key' }).click();
  await page.getByRole('textbox', { name: 'Key' }).fill('y');
  await page.keyboard.press('Enter');
  await expect(list).toHaveCount(4);
  await expect(list.nth(2)).toHaveAttribute('aria-pressed', 'true');
  await expect(list.nth(2)).toHaveAttribute('title', policy!);
});

test('a page without views does not speak of them', async ({ page }) => {
  test.skip(realServer, 'needs an empty server');
  await open(page, emptyUrl);
  await expect(page.locator('#views')).toBeHidden();
  await expect(page.locator('#views-jump')).toBeHidden();
});

test('an answer through a view says so where its tokens are counted', async ({ page }) => {
  const view = { policy: 'replay:25%,alloc=global,min=64 v1', found: true, positions: 416, kept_share: 0.21, profile_s: 0 };
  const kvasir = { reused: { device: 429 }, computed: 9, spans: [], miss: [], retention: view };
  const request = { id: 'thin', endpoint: '/v1/chat/completions', status: 'stop', time: 1764000000, prompt_tokens: 438,
    completion_tokens: 9, queue_s: 0, ttft_s: 0.1, duration_s: 0.1, kvasir };
  const whole = { ...request, id: 'whole', kvasir: { ...kvasir, retention: { policy: 'replay:25% v1', why_exact: 'it is short' } } };
  await page.route('**/v1/kv/requests', (route) => route.fulfill({ json: { requests: [request, whole] } }));
  await open(page);
  await expect(page.getByTestId('request-through')).toHaveText('through replay:25% global');
  await page.locator('#request-list summary').nth(0).click();
  await page.locator('#request-list summary').nth(1).click();
  await expect(page.locator('#request-list .why').nth(0)).toContainText('Not exact: the first 416 tokens through a view that was there');
  await expect(page.locator('#request-list .why').nth(1)).toContainText('Exact, and not through replay:25% v1: it is short.');
});
