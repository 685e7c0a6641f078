import { expect, longMessage, realServer, open, say, test } from './page';

test('an answer streams, and its badge opens into the ribbon', async ({ page }) => {
  await open(page);
  await page.getByLabel('Message').fill(longMessage());
  await page.keyboard.press('Enter');
  const answer = page.getByTestId('answer').last();
  const lengths = new Set<number>();
  await expect.poll(async () => {
    lengths.add((await answer.textContent())!.length);
    return page.locator('#chat-send').isVisible();
  }, { intervals: [15], timeout: 20_000 }).toBe(true);
  expect(lengths.size).toBeGreaterThan(realServer ? 1 : 2); // a real answer may be complete before the second time that a stream is written
  const badge = page.getByTestId('cache-badge').last();
  await expect(badge.locator('summary')).toHaveText(/^[\d,]+ of [\d,]+ from /);
  await badge.locator('summary').click();
  await expect(badge.getByRole('img')).toHaveAttribute('aria-label', /tokens/);
});

test('the second turn reuses the first', async ({ page }) => {
  await open(page);
  await say(page, longMessage());
  await say(page, 'And then?');
  await expect(page.getByTestId('cache-badge').last()).toHaveText(/^[1-9][\d,]* of [\d,]+ from (device|host|disk)/);
});

test('the system prompt is sent, and a new conversation starts empty', async ({ page }) => {
  await open(page);
  await page.getByText('System prompt', { exact: true }).first().click();
  await page.getByLabel('System prompt').fill('Answer like a saga.');
  const sent = page.waitForRequest('**/v1/chat/completions');
  await say(page, 'Who is Rolf?');
  const { messages } = (await sent).postDataJSON();
  expect(messages).toEqual([{ role: 'system', content: 'Answer like a saga.' }, { role: 'user', content: 'Who is Rolf?' }]);
  await page.getByRole('button', { name: 'New conversation' }).click();
  await expect(page.getByTestId('answer')).toHaveCount(0);
  await expect(page.getByText('Nothing said yet')).toBeVisible();
});

test('text from the server stays text', async ({ page }) => {
  const evil = '<img src=x onerror="document.title=1"><script>1</script>';
  await page.route('**/v1/chat/completions', (route) => route.fulfill({
    contentType: 'text/event-stream',
    body: `data: ${JSON.stringify({ choices: [{ delta: { content: evil } }] })}\r\n\r\n: ping\r\n\r\ndata: [DONE]\r\n\r\n`,
  }));
  await open(page);
  await say(page, 'hello');
  await expect(page.getByTestId('answer')).toHaveText(evil);
  await expect(page.locator('#chat-turns img:not(.ribbon), #chat-turns script')).toHaveCount(0);
});

test('stopping aborts the request and keeps what was said', async ({ page }) => {
  test.skip(realServer, 'needs a slow answer');
  await open(page);
  await page.getByLabel('Message').fill('long');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('answer').last()).not.toBeEmpty();
  const failed = page.waitForEvent('requestfailed');
  await page.getByRole('button', { name: 'Stop' }).click();
  await failed;
  await expect(page.getByText('Stopped.')).toBeVisible();
  await expect(page.getByTestId('answer').last()).not.toBeEmpty();
  await expect(page.locator('#request-list .status').first()).toHaveText('cancelled');
});

test('a failure midway is a sentence, and can be tried again', async ({ page }) => {
  test.skip(realServer, 'needs a failing server');
  await open(page);
  await say(page, 'fail');
  await expect(page.locator('#chat-turns [role=alert]')).toContainText('the pretended engine failed');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.locator('#chat-turns > li')).toHaveCount(1);
});

test.describe('refusals', () => {
  test.use({ allowed: [/429/] });
  test('a refusal is a sentence', async ({ page }) => {
    test.skip(realServer, 'needs a refusing server');
    await open(page);
    await say(page, 'refuse');
    await expect(page.locator('#chat-turns [role=alert]')).toContainText('the queue is full: try again in 2 s');
  });
});
