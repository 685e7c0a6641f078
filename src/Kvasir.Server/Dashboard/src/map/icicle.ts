import type { TreeNode } from '../contract';
import { svg } from '../dom';
import { count, range } from '../format';
import type { Cell, Crumb, Drawing } from './layout';
import { coldest, nodeSentence, warmest } from './words';

const rowHeight = 34;
const cellHeight = 30;
const edgeHeight = 5;
const charWidth = 6.6;

export const heightOf = (rows: number): number => rows * rowHeight;

/** Draws the prefix tree. Widths are percentages, so that the browser follows the window without us. */
export function draw(drawing: Drawing, pixels: number, now: number): SVGElement[] {
  const cells = drawing.cells.map((cell) => drawCell(cell, pixels, now));
  return [...drawing.crumbs.map(drawCrumb), ...cells];
}

export const cellId = (node: TreeNode): string => `node-${node.id}`;

export function choose(cell: Element, chosen: boolean): void {
  cell.classList.toggle('active', chosen);
  cell.setAttribute('aria-selected', String(chosen));
}

function drawCell(cell: Cell, pixels: number, now: number): SVGElement {
  const { node, parent, depth } = cell.branch;
  const warm = warmest(node) ?? 'computed';
  const siblings = parent?.children.length;
  const box = svg('svg', {
    class: 'cell', id: cellId(node), 'data-node': node.id, role: 'treeitem',
    'aria-level': depth + 1, 'aria-label': nodeSentence(node, now), 'aria-selected': 'false', 'aria-setsize': siblings,
    x: part(cell.x), width: part(cell.width), y: cell.row * rowHeight, height: cellHeight,
  });
  const own = cell.width > 0 ? cell.own / cell.width : 1;
  box.append(svg('rect', { class: `tint tint-${warm}`, width: '100%', height: cellHeight, rx: 3 }));
  if (own > 0) box.append(...ownPart(node, own, warm));
  box.append(svg('rect', { class: 'frame', width: '100%', height: cellHeight, rx: 3 }));
  if (node.pinned) box.append(svg('rect', { class: 'pin', y: -1, width: part(own || 1), height: edgeHeight }));
  const label = drawLabel(cell, pixels);
  if (label) box.append(label);
  return box;
}

/** The node's own tokens, solid; a line beneath shows the coldest tier that also holds them. */
function ownPart(node: TreeNode, own: number, warm: string): SVGElement[] {
  const cold = coldest(node);
  const rects = [
    svg('rect', { class: `solid-${warm}`, width: part(own), height: cellHeight, rx: 3 }),
    svg('rect', { fill: `url(#pattern-${warm})`, width: part(own), height: cellHeight, rx: 3 }),
  ];
  if (cold && cold !== warm)
    rects.push(svg('rect', { class: `edge solid-${cold}`, y: cellHeight - edgeHeight, width: part(own), height: edgeHeight }));
  return rects;
}

/** Writes into the wider part, and only what fits. */
function drawLabel(cell: Cell, pixels: number): SVGElement | null {
  const inOwn = cell.own >= cell.width - cell.own;
  const room = Math.floor((Math.max(cell.own, cell.width - cell.own) * pixels - 12) / charWidth);
  const text = labelFor(cell.branch.node, room);
  if (!text) return null;
  return svg('text', { class: inOwn ? 'on-solid' : 'on-tint', x: part(inOwn ? 0 : cell.own / cell.width), dx: 7, y: 19 }, text);
}

function labelFor(node: TreeNode, room: number): string {
  const tokens = range(node.from, node.to);
  const tier = `${tokens} ${warmest(node) ?? ''}`.trimEnd();
  const text = node.text ? ` ${node.text.replace(/\s+/g, ' ').trim()}` : '';
  if (text && room > tier.length + 12) return cut(`${tier} ·${text}`, room);
  return [tier, tokens, count(node.to - node.from)].find((label) => label.length <= room) ?? '';
}

const cut = (text: string, room: number): string => (text.length <= room ? text : `${text.slice(0, room - 1)}…`);

function drawCrumb(crumb: Crumb): SVGElement {
  const title = svg('title', {}, `${count(crumb.branches)} more, too narrow to draw: zoom in`);
  return svg('rect', { class: 'crumb', x: part(crumb.x), width: part(crumb.width), y: crumb.row * rowHeight, height: cellHeight }, title);
}

const part = (fraction: number): string => `${(fraction * 100).toFixed(4)}%`;
