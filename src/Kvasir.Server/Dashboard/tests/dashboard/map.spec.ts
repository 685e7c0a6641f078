import { emptyUrl, expect, longMessage, realServer, open, say, test } from './page';

const chosen = '#map-tree .cell.active';

test('arrow keys walk the tree, Enter zooms, Escape goes back', async ({ page }) => {
  await open(page);
  await say(page, longMessage());
  const tree = page.getByRole('tree');
  await expect(tree.getByRole('treeitem').first()).toBeVisible();
  await tree.focus();
  await page.keyboard.press('ArrowDown');
  await expect(page.locator(chosen)).toHaveCount(1);
  const first = await page.locator(chosen).getAttribute('id');
  await expect(tree).toHaveAttribute('aria-activedescendant', first!);
  await page.keyboard.press('End');
  await page.keyboard.press('Home');
  await expect(page.locator(chosen)).toHaveAttribute('id', first!);
  await page.keyboard.press('Enter');
  await expect(page.locator(chosen)).toHaveAttribute('width', '100.0000%');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('button', { name: 'Show all' })).toBeDisabled();
  await expect(page.getByTestId('node')).toBeVisible();
});

test('every node can be reached, and is named', async ({ page }) => {
  test.skip(realServer, 'needs a known tree');
  await open(page);
  await page.getByRole('tree').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  const active = page.locator(chosen);
  await expect(active).toHaveAttribute('aria-level', '2');
  await expect(active).toHaveAttribute('aria-label', /^Tokens [\d,]+–[\d,]+, \d+ blocks?: .+ hits?, last used /);
});

test('pinning, keeping what is pinned, and unpinning say what happened', async ({ page }) => {
  await open(page);
  await say(page, longMessage());
  await page.getByRole('tree').focus();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowDown');
  const said = page.getByTestId('map-said');
  await page.getByLabel('Pin for').selectOption('2h');
  await page.getByRole('button', { name: 'Pin', exact: true }).click();
  await expect(said).toHaveText(/^Pinned [1-9]\d* blocks? until \d\d:\d\d/);
  await expect(page.getByTestId('node-state')).toContainText('pinned');
  await page.getByRole('button', { name: 'Evict…', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Evict' }).click();
  await expect(said).toHaveText(/^Evicted \d+ blocks?\. [1-9]\d* blocks? stayed/);
  await page.getByRole('button', { name: 'Unpin' }).click();
  await expect(said).toHaveText(/^Unpinned [1-9]\d* blocks?\.$/);
});

test('evicting asks first', async ({ page }) => {
  await open(page);
  await say(page, longMessage());
  await page.getByRole('tree').focus();
  await page.keyboard.press('End');
  await page.getByRole('button', { name: 'Evict…', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('button', { name: 'Cancel' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(page.getByTestId('map-said')).toBeEmpty();
  await page.getByRole('button', { name: 'Evict…', exact: true }).click();
  await dialog.getByRole('button', { name: 'Evict' }).click();
  await expect(page.getByTestId('map-said')).toHaveText(/^Evicted /);
});

test('a prompt can be looked up and warmed', async ({ page }) => {
  await open(page);
  const prompt = longMessage();
  await page.getByText('Warm a prompt', { exact: true }).click();
  await page.getByLabel('A prompt to put into the cache').fill(prompt);
  const said = page.getByTestId('warm-said');
  await page.getByRole('button', { name: 'Warm', exact: true }).click();
  await expect(said).toContainText(/^Warmed [\d,]+ tokens: [1-9]/);
  await page.getByRole('button', { name: 'Only look up' }).click();
  await expect(said).toContainText(/^[1-9][\d,]* of [\d,]+ tokens would be reused/);
});

test('without requests and without text the page says so', async ({ page }) => {
  test.skip(realServer, 'needs an empty server');
  await open(page, emptyUrl);
  await expect(page.getByText('No prefix is cached yet')).toBeVisible();
  await expect(page.getByText('No request yet')).toBeVisible();
  await say(page, longMessage());
  await page.getByRole('tree').focus();
  await page.keyboard.press('ArrowDown');
  await expect(page.getByTestId('node-text')).toHaveText('text hidden');
});
