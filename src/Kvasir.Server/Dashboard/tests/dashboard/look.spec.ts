import AxeBuilder from '@axe-core/playwright';
import type { Page } from 'playwright/test';
import { emptyUrl, expect, longMessage, realServer, open, say, test } from './page';

const shots = process.env['KVASIR_SHOTS'];

/** Everything that can be open is open, so that it is looked at too. */
async function busyPage(page: Page): Promise<void> {
  await open(page);
  await say(page, longMessage());
  await say(page, 'And then?');
  if (!realServer) await thinkAndCall(page);
  await page.getByTestId('cache-badge').last().locator('summary').click();
  await page.getByRole('tree').focus();
  await page.keyboard.press('ArrowDown');
  await page.getByText('Warm a prompt', { exact: true }).click();
  await page.locator('#request-list summary').first().click();
}

/** What no real model does when it is asked to. */
async function thinkAndCall(page: Page): Promise<void> {
  await say(page, 'think');
  await page.locator('.thoughts summary').click();
  await page.getByText('Tools', { exact: true }).first().click();
  await page.getByRole('button', { name: 'A sample' }).click();
  await say(page, 'How is the weather?');
  await page.getByLabel('Result of call 1').fill('Cold, with snow from the north.');
}

async function look(page: Page, name: string): Promise<void> {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join('\n')}`)).toEqual([]);
}

for (const scheme of ['light', 'dark'] as const)
  test(`${scheme}: nothing for axe to object to`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await busyPage(page);
    await look(page, scheme);
  });

test('dialogs: nothing for axe to object to', async ({ page }) => {
  await busyPage(page);
  await page.getByRole('button', { name: 'Evict…', exact: true }).click();
  await look(page, 'evict');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'API key' }).click();
  await look(page, 'key');
});

test('an empty page: nothing for axe to object to', async ({ page }) => {
  test.skip(realServer, 'needs an empty server');
  await open(page, emptyUrl);
  await look(page, 'empty');
});

for (const width of [320, 390, 768, 1100])
  test(`${width} pixels wide: nothing to scroll sideways`, async ({ page }) => {
    await page.setViewportSize({ width, height: 844 });
    await busyPage(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    await look(page, `width-${width}`);
  });

test('colours follow the system until somebody chooses', async ({ page }) => {
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: 'light' });
  await open(page);
  const light = await paper();
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await paper();
  expect(dark).not.toBe(light);
  await page.getByLabel('Colours').selectOption('light');
  expect(await paper()).toBe(light);
  await page.reload();
  expect(await paper()).toBe(light);
  await page.getByLabel('Colours').selectOption('system');
  expect(await paper()).toBe(dark);
});

test('numbers that come in do not move the page', async ({ page }) => {
  await open(page);
  const places = () =>
    page.evaluate(() => ['tiers', 'map', 'requests', 'trends'].map((id) => document.getElementById(id)!.getBoundingClientRect().top));
  await expect(page.getByTestId('tier-device-in')).toHaveAttribute('data-value', /^\d/);
  const before = await places();
  await page.waitForTimeout(2500);
  expect(await places()).toEqual(before);
});
