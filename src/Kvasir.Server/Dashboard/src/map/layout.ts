import type { TreeNode } from '../contract';

/** A node with its place in the tree. `weight` counts its own tokens and all below it. */
export interface Branch {
  node: TreeNode;
  parent: Branch | null;
  children: Branch[];
  depth: number;
  own: number;
  weight: number;
}

/** A branch with its place in the drawing, as fractions of the width. Its own tokens come first, its children after. */
export interface Cell { branch: Branch; x: number; width: number; own: number; row: number }

/** A part too narrow to draw, made of several branches. */
export interface Crumb { x: number; width: number; row: number; branches: number }

export interface Drawing { cells: Cell[]; crumbs: Crumb[]; rows: number }

/** Links nodes to their parents. A node that names an unknown parent, or comes before it, starts a tree of its own. */
export function branchesOf(nodes: TreeNode[]): Map<string, Branch> {
  const branches = new Map<string, Branch>();
  for (const node of nodes) {
    const parent = (node.parent != null && branches.get(node.parent)) || null;
    const own = Math.max(0, node.to - node.from);
    const branch: Branch = { node, parent, children: [], depth: parent ? parent.depth + 1 : 0, own, weight: own };
    parent?.children.push(branch);
    branches.set(node.id, branch);
  }
  for (const branch of [...branches.values()].reverse()) if (branch.parent) branch.parent.weight += branch.weight;
  return branches;
}

export const rootsOf = (branches: Map<string, Branch>): Branch[] => [...branches.values()].filter((branch) => !branch.parent);

/** All that hangs together with a branch: itself and what stands below it. */
export function below(branch: Branch): Branch[] {
  const all = [branch];
  for (let at = 0; at < all.length; at++) all.push(...all[at]!.children);
  return all;
}

export function ancestors(branch: Branch): Branch[] {
  const path: Branch[] = [];
  for (let at = branch.parent; at; at = at.parent) path.unshift(at);
  return path;
}

/** Lays out everything, or one branch at full width below its ancestors. Parts narrower than `least` become crumbs. */
export function layOut(roots: Branch[], zoom: Branch | null, least: number): Drawing {
  const above = zoom ? ancestors(zoom) : [];
  const drawing: Drawing = { cells: [], crumbs: [], rows: above.length };
  above.forEach((branch, row) => drawing.cells.push({ branch, x: 0, width: 1, own: 0, row }));
  const shown = zoom ? [zoom] : roots;
  const total = shown.reduce((sum, branch) => sum + branch.weight, 0);
  if (total > 0) place(drawing, shown, 0, 1 / total, above.length, least);
  return drawing;
}

/** Places siblings side by side. Works through a list, not by recursion: a hostile tree may be deep. */
function place(drawing: Drawing, roots: Branch[], left: number, scale: number, top: number, least: number): void {
  const queue = [{ siblings: roots, x: left, row: top }];
  for (let work = queue.pop(); work; work = queue.pop()) {
    let x = work.x;
    let crumb: Crumb | null = null;
    drawing.rows = Math.max(drawing.rows, work.row + 1);
    for (const branch of work.siblings) {
      const width = branch.weight * scale;
      if (width < least) {
        crumb ??= startCrumb(drawing, x, work.row);
        crumb.width += width;
        crumb.branches++;
      } else {
        crumb = null;
        drawing.cells.push({ branch, x, width, own: branch.own * scale, row: work.row });
        if (branch.children.length) queue.push({ siblings: branch.children, x: x + branch.own * scale, row: work.row + 1 });
      }
      x += width;
    }
  }
}

function startCrumb(drawing: Drawing, x: number, row: number): Crumb {
  const crumb = { x, width: 0, row, branches: 0 };
  drawing.crumbs.push(crumb);
  return crumb;
}
