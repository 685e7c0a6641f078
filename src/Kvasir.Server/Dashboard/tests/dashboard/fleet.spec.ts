import AxeBuilder from '@axe-core/playwright';
import { expect, open, realServer, test } from './page';

const tiers = [
  { tier: 'device', capacity_bytes: 1 << 30, used_bytes: 1 << 28, capacity_blocks: 100, blocks: 25, hit_tokens: 1200 },
  { tier: 'disk', capacity_bytes: 1 << 30, used_bytes: 1 << 29, capacity_blocks: 100, blocks: 50, hit_tokens: 34_567 },
];

const nodeAt = (port: number, alive: boolean) => ({
  name: `node-${port}`, address: `http://127.0.0.1:${port}`, alive, problem: alive ? null : 'Connection refused (127.0.0.1:2)', since_s: 75,
  role: port === 3 ? 'prefill' : 'both', running: 2, waiting: 1, queued_tokens: 512, prefill_tokens_per_s: 900, in_flight: 3,
  known_pieces: 77, routed_requests: 41, retried_requests: alive ? 0 : 4, failed_requests: alive ? 0 : 1, hinted_requests: 30,
  hinted_pieces: 300, lost_pieces: alive ? 0 : 12,
  stats: alive ? { tiers, tokens: { computed: 4096 }, peer_tokens: 640, node: { name: 'x', role: 'both', prefill_nodes: [
    { address: '10.0.0.3:9', name: 'node-3', problem: null, asked_tokens: 700, brought_tokens: 640 }] } } : null,
});

test.skip(realServer, 'what the nodes say is pretended here');

test.beforeEach(async ({ page }) => {
  await page.route('**/health', (route) => route.fulfill({ json: { status: 'ok', nodes: 3, alive: 2 } }));
  await page.route('**/v1/fleet', (route) =>
    route.fulfill({ json: { version: 1, policy: 'prefix', uptime_s: 80, nodes: [nodeAt(1, true), nodeAt(2, false), nodeAt(3, true)] } }));
});

test('a router shows its nodes, and what is wrong with one', async ({ page }) => {
  await open(page);
  await expect(page.getByTestId('fleet-node')).toHaveCount(3);
  await expect(page.locator('#fleet-summary')).toHaveText('2 of 3 nodes there, chosen by prefix');
  await expect(page.getByTestId('fleet-2-lost')).toHaveAttribute('data-value', '12');
  const dead = page.getByTestId('fleet-node').nth(1);
  await expect(dead).toContainText('not there');
  await expect(dead.locator('.problem').first()).toHaveText('Connection refused (127.0.0.1:2)');
  await expect(page.getByTestId('fleet-node').first()).toContainText('34,567 hit tokens');
  await expect(page.getByTestId('fleet-node').first()).toContainText('node-3 brought 640 of 700 tokens asked for');
});

for (const scheme of ['light', 'dark'] as const)
  test(`${scheme}: nothing for axe to object to`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await open(page);
    await expect(page.getByTestId('fleet-node')).toHaveCount(3);
    const { violations } = await new AxeBuilder({ page }).include('#fleet').analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((one) => one.html).join('\n')}`)).toEqual([]);
  });
