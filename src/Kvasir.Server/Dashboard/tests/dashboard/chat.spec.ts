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
  expect(lengths.size).toBeGreaterThan(realServer ? 0 : 2); // a real answer may be complete when it is first seen
  const badge = page.getByTestId('cache-badge').last();
  await expect(badge.locator('summary')).toHaveText(/^[\d,]+ of [\d,]+ from /);
  await badge.locator('summary').click();
  await expect(badge.getByRole('img')).toHaveAttribute('aria-label', /tokens/);
  await expect(badge.locator('.ribbon-words')).toContainText(/computed · \d+ blocks?/);
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
  const call = { index: 0, id: evil, function: { name: evil, arguments: evil } };
  const chunks = [{ reasoning_content: evil }, { content: evil }, { tool_calls: [call] }]
    .map((delta) => `data: ${JSON.stringify({ choices: [{ delta }] })}\r\n\r\n`);
  await page.route('**/v1/chat/completions', (route) => route.fulfill({
    contentType: 'text/event-stream',
    body: `${chunks.join('')}: ping\r\n\r\ndata: [DONE]\r\n\r\n`,
  }));
  await open(page);
  await say(page, 'hello');
  for (const place of ['answer', 'thoughts', 'call-name', 'call-arguments']) await expect(page.getByTestId(place)).toHaveText(evil);
  await expect(page.locator('#chat-turns img:not(.ribbon), #chat-turns script')).toHaveCount(0);
});

test('thoughts are folded, counted, and said again', async ({ page }) => {
  test.skip(realServer, 'needs a model that thinks');
  await open(page);
  await say(page, 'think');
  const thoughts = page.locator('.thoughts');
  await expect(thoughts.locator('summary')).toHaveText(/^Thought for .* · 12 tokens$/);
  await expect(page.getByTestId('thoughts')).toBeHidden();
  await thoughts.locator('summary').click();
  await expect(page.getByTestId('thoughts')).toHaveText('They ask who I am. I may say it in a sentence.');
  await expect(page.getByTestId('answer')).not.toContainText('They ask');
  const sent = page.waitForRequest('**/v1/chat/completions');
  await say(page, 'And then?');
  expect((await sent).postDataJSON().messages[1].reasoning_content).toBe('They ask who I am. I may say it in a sentence.');
});

test('calls are shown as they come, and what the tools say goes back', async ({ page }) => {
  test.skip(realServer, 'needs a model that calls');
  await open(page);
  await page.getByText('Tools', { exact: true }).first().click();
  await page.getByLabel('Tools').fill('{');
  await say(page, 'How is the weather?');
  await page.locator('details:has(#chat-tools) > summary').click();
  await say(page, 'How is the weather?');
  await expect(page.locator('#chat-tools-problem')).toContainText('Tools: no JSON');
  await expect(page.locator('#chat-tools-problem')).toBeVisible();
  await expect(page.locator('#chat-turns > li')).toHaveCount(0);
  await page.getByRole('button', { name: 'A sample' }).click();
  await page.keyboard.press('Escape');
  await say(page, 'How is the weather?');
  await expect(page.getByTestId('call-name')).toHaveText(['weather', 'weather']);
  await expect(page.getByTestId('call-arguments').first()).toHaveText('{\n  "city": "<b>Hlesey</b>"\n}');
  await expect(page.locator('#chat-turns b')).toHaveCount(0);
  await page.getByLabel('Result of call 1').fill('Cold.');
  await page.getByLabel('Result of call 2').fill('Warm.');
  const sent = page.waitForRequest('**/v1/chat/completions');
  await page.getByRole('button', { name: 'Send results' }).press('Enter');
  const { messages, tools } = (await sent).postDataJSON();
  expect(tools[0].function.name).toBe('weather');
  expect(messages.slice(1)).toEqual([
    { role: 'assistant', content: '', tool_calls: [
      { id: 'call_0', type: 'function', function: { name: 'weather', arguments: '{"city": "<b>Hlesey</b>"}' } },
      { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city": "Uppsala"}' } },
    ] },
    { role: 'tool', tool_call_id: 'call_0', content: 'Cold.' }, { role: 'tool', tool_call_id: 'call_1', content: 'Warm.' },
  ]);
  await expect(page.getByTestId('answer').last()).not.toBeEmpty();
  await expect(page.getByTestId('cache-badge')).toHaveCount(2);
  await expect(page.getByRole('button', { name: 'Send results' })).toBeHidden();
  await expect(page.getByLabel('Message')).toBeFocused(); // whoever has no mouse goes on where they are
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
