import type { ServedRequest } from '../../src/contract';
import { expect, fetchJson, longMessage, open, say, test } from './page';

test('requests are those of /v1/kv/requests, newest first', async ({ page }) => {
  await open(page);
  await say(page, longMessage());
  await expect(async () => {
    const { requests } = await fetchJson<{ requests: ServedRequest[] }>(page, '/v1/kv/requests');
    const ids = await page.locator('#request-list > li code').allTextContents();
    expect(ids).toEqual(requests.map(({ id }) => id));
    const ttft = await page.getByTestId('request-ttft')
      .evaluateAll((cells) => cells.map((cell) => Number(cell.getAttribute('data-value'))));
    expect(ttft).toEqual(requests.map(({ ttft_s }) => ttft_s ?? 0));
  }).toPass({ timeout: 10_000 });
});

test('a request opens into words: where its tokens came from, and why not from the cache', async ({ page }) => {
  await open(page);
  await say(page, longMessage());
  const row = page.locator('#request-list > li').first();
  await row.locator('summary').focus();
  await page.keyboard.press('Enter');
  await expect(row.locator('.ribbon-words')).toContainText(/computed/);
  await expect(row.locator('.ribbon-words .why').first()).toContainText(/Tokens|Diverged/);
});

test('a request that the server did not explain is listed all the same', async ({ page }) => {
  const odd = { id: 'odd', endpoint: '/v1/completions', status: 'something_new', time: 1764000000, prompt_tokens: 3, completion_tokens: 1,
    queue_s: 0, ttft_s: null, duration_s: 0.1, kvasir: null };
  const strange = { ...odd, id: 'strange', kvasir: { reused: {}, computed: 3, spans: [{ from: 0, to: 3, source: 'remote' }],
    miss: [{ from: 0, to: 3, reason: 'new_reason', detail: '<b>' }] } };
  await page.route('**/v1/kv/requests', (route) => route.fulfill({ json: { requests: [odd, strange] } }));
  await open(page);
  await expect(page.locator('#request-list > li')).toHaveCount(2);
  await expect(page.locator('#request-list .status').first()).toHaveText('something_new');
  await page.locator('#request-list summary').nth(1).click();
  await expect(page.locator('#request-list .why')).toContainText('new reason): <b>');
});
