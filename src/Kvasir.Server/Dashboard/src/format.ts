const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

/** 1504 → "1,504" */
export const count = (value: number): string => grouped.format(value);

/** "1 block", "94 blocks" */
export const counted = (value: number, noun: string, nouns = `${noun}s`): string => `${count(value)} ${value === 1 ? noun : nouns}`;

/** Three digits of a value between 0 and 1023. */
const threeDigits = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

/** Binary units only: 6144 → "6.00 KiB" */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let power = 0;
  while (Math.abs(value) >= 1023.5 && power < units.length - 1) [value, power] = [value / 1024, power + 1];
  return `${power === 0 ? Math.round(value) : threeDigits(value)} ${units[power]}`;
}

/** Bytes a second. */
export const rate = (value: number): string => `${bytes(value)}/s`;

/** 0.0042 → "4.2 ms", 1.7 → "1.7 s", 200 → "3 min 20 s" */
export function seconds(value: number): string {
  if (value < 0.00005) return '0 ms';
  if (value < 0.00995) return `${(value * 1000).toFixed(1)} ms`;
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
  if (value < 59.95) return `${value.toFixed(1)} s`;
  const units: [number, string][] = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const whole = Math.round(value);
  const at = units.findIndex(([size]) => whole >= size);
  const [large, largeName] = units[at]!;
  const [small, smallName] = units[at + 1]!;
  return `${Math.floor(whole / large)} ${largeName} ${Math.floor((whole % large) / small)} ${smallName}`;
}

/** Of a step, where milliseconds say little: 0.000112 → "112 µs" */
export const microseconds = (value: number): string => (value < 0.000995 ? `${Math.round(value * 1e6)} µs` : seconds(value));

/** 0.874 → "87.4 %" */
export const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;

/** How long ago, coarsely enough not to flicker. */
export function ago(elapsed: number): string {
  if (elapsed < 5) return 'just now';
  if (elapsed < 60) return `${Math.floor(elapsed / 5) * 5} s ago`;
  if (elapsed < 3600) return `${Math.floor(elapsed / 60)} min ago`;
  return elapsed < 86400 ? `${Math.floor(elapsed / 3600)} h ago` : `${Math.floor(elapsed / 86400)} d ago`;
}

/** Unix seconds as a local time of day. */
export const clock = (time: number): string => clockFormat.format(time * 1000);

/** Unix seconds as a local day and time. */
export const day = (time: number): string => dayFormat.format(time * 1000);

/** "0–1,504" */
export const range = (from: number, to: number): string => `${count(from)}–${count(to)}`;
