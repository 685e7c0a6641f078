import type { Stats } from '../../src/contract';
import { expect, fetchJson, longMessage, open, say, test } from './page';

test('every number on the page is the one in /v1/kv/stats', async ({ page }) => {
  await open(page);
  await say(page, longMessage());
  await expect(async () => {
    const stats = await fetchJson<Stats>(page, '/v1/kv/stats');
    const shown = await page.evaluate(() =>
      Object.fromEntries([...document.querySelectorAll('[data-testid][data-value]')].map((element) =>
        [element.getAttribute('data-testid'), Number(element.getAttribute('data-value'))])));
    const wanted = expected(stats);
    expect(Object.fromEntries(Object.keys(wanted).map((name) => [name, shown[name]]))).toEqual(wanted);
  }).toPass({ timeout: 15_000 });
});

function expected(stats: Stats): Record<string, number> {
  const numbers: Record<string, number> = {
    context: stats.model.context,
    'tokens-prompt': stats.tokens.prompt,
    'tokens-reused': stats.tokens.reused,
    'tokens-computed': stats.tokens.computed,
    'tokens-completion': stats.tokens.completion,
    'saved-s': stats.saved_s,
    'hit-rate': stats.tokens.reused / stats.tokens.prompt,
  };
  for (const [name, value] of Object.entries(stats.requests)) numbers[`requests-${name}`] = value;
  for (const [name, value] of Object.entries(stats.misses)) if (value > 0) numbers[`miss-${name}`] = value;
  for (const tier of stats.tiers)
    Object.assign(numbers, prefixed(`tier-${tier.tier}-`, {
      used: tier.used_bytes, capacity: tier.capacity_bytes, blocks: tier.blocks, 'capacity-blocks': tier.capacity_blocks,
      leased: tier.leased_blocks, pinned: tier.pinned_blocks, hits: tier.hit_tokens, evictions: tier.evictions,
    }));
  for (const one of stats.ttft) {
    numbers[`ttft-${one.tier}-count`] = one.count;
    if (one.count > 0) Object.assign(numbers, prefixed(`ttft-${one.tier}-`, { p50: one.p50_s!, p95: one.p95_s! }));
  }
  return numbers;
}

const prefixed = (prefix: string, values: Record<string, number>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));

test('sizes are written in binary units', async ({ page }) => {
  await open(page);
  const sizes = await page.locator('[data-testid^="tier-"][data-testid$="-used"], [data-testid^="tier-"][data-testid$="-capacity"]')
    .allTextContents();
  expect(sizes.length).toBeGreaterThan(1);
  for (const size of sizes) expect(size).toMatch(/^[\d.]+\s([KMGT]i)?B$/);
});

test('what moves into a tier shows as a rate', async ({ page }) => {
  await open(page);
  const moved = page.locator('[data-testid^="tier-"][data-testid$="-in"]');
  await expect(moved.last()).toHaveAttribute('data-value', /^\d/, { timeout: 5000 });
  const rates = () => moved.evaluateAll((cells) => cells.map((cell) => Number(cell.getAttribute('data-value'))));
  let most = 0; // what is computed moves into the colder tiers
  const watch = expect.poll(async () => (most = Math.max(most, ...(await rates()))), { timeout: 15_000, intervals: [100] });
  await Promise.all([watch.toBeGreaterThan(0), say(page, longMessage())]);
});
