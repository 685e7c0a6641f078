import type { Span } from '../contract';
import { counted } from '../format';

let blockTokens: number | null = null;

/** What the server says of its cache, as soon as it says it. */
export const setBlockTokens = (tokens: number): void => void (blockTokens = tokens);

/** " · 94 blocks": in how many blocks a span lies, its borders included. */
export const inBlocks = ({ from, to }: Span): string =>
  blockTokens ? ` · ${counted(Math.ceil(to / blockTokens) - Math.floor(from / blockTokens), 'block')}` : '';
