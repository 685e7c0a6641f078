import type { Branch } from './layout';

/** Where an arrow key leads: down to the continuations, up to what they share, sideways among siblings. Null for other keys. */
export function walk(key: string, from: Branch | null, roots: Branch[]): Branch | null {
  if (!['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End'].includes(key)) return null;
  if (!from) return roots[0] ?? null;
  const siblings = from.parent?.children ?? roots;
  const at = siblings.indexOf(from);
  switch (key) {
    case 'ArrowUp': return from.parent ?? from;
    case 'ArrowDown': return from.children[0] ?? from;
    case 'ArrowLeft': return siblings[at - 1] ?? from;
    case 'ArrowRight': return siblings[at + 1] ?? from;
    case 'Home': return siblings[0] ?? from;
    default: return siblings.at(-1) ?? from;
  }
}
