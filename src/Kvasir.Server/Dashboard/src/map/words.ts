import { tierNames, type TierName, type TreeNode } from '../contract';
import { ago, count, counted, range } from '../format';

const held = (node: TreeNode): TierName[] => tierNames.filter((tier) => (node.tiers[tier] ?? 0) > 0);

/** The warmest tier that holds any of a node; null when none says so. */
export const warmest = (node: TreeNode): TierName | null => held(node)[0] ?? null;

/** The coldest tier that holds any of it: where it survives longest. */
export const coldest = (node: TreeNode): TierName | null => held(node).at(-1) ?? null;

/** "94 on device, 90 on disk" */
export const tiersText = (node: TreeNode): string =>
  held(node).map((tier) => `${count(node.tiers[tier]!)} on ${tier}`).join(', ') || 'on no tier';

/** A node as one sentence: the name of its tree item, and the tooltip. */
export function nodeSentence(node: TreeNode, now: number): string {
  const facts = [
    `Tokens ${range(node.from, node.to)}`,
    `${counted(node.blocks, 'block')}: ${tiersText(node)}`,
    ...(node.hits == null ? [] : [counted(node.hits, 'hit')]),
    ...(node.last_use == null ? [] : [`last used ${ago(now - node.last_use)}`]),
  ];
  if (node.pinned) facts.push('pinned');
  if (node.leased) facts.push('in use');
  return facts.join(', ');
}
