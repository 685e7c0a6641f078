import { tierNames, type ServedRequest, type Source, type Stats } from '../contract';
import { servingSource } from '../explain/sources';

/** Rows of equally long columns, the first of them time. */
export type Columns = (number | null)[][];

const longest = 3600;
const windowSeconds = 60;

interface Reading { time: number; prompt: number; reused: number; saved: number; evictions: Record<string, number> }

/** What the page has seen since it was opened. Bounded: when full, every other reading is forgotten. */
export class History {
  #readings: Reading[] = [];
  #served: { time: number; ttft: number; source: Source }[] = [];

  addStats(stats: Stats): void {
    if (stats.time <= (this.#readings.at(-1)?.time ?? 0)) return;
    if (stats.tokens.prompt < (this.#readings.at(-1)?.prompt ?? 0)) this.#readings = []; // the server has restarted
    this.#readings.push(reading(stats));
    if (this.#readings.length > longest) this.#readings = this.#readings.filter((_, at) => at % 2 === 0);
  }

  addRequest({ time, ttft_s, kvasir }: ServedRequest): void {
    if (ttft_s == null || !kvasir) return;
    this.#served.push({ time, ttft: ttft_s, source: servingSource(kvasir) });
    this.#served.sort((left, right) => left.time - right.time);
    if (this.#served.length > longest) this.#served.shift();
  }

  get start(): number | null {
    return this.#readings[0]?.time ?? null;
  }

  /** Share of prompt tokens that were reused, over the minute before each reading; a gap where there was no prompt. */
  hitRate(): Columns {
    let from = 0;
    const rates = this.#readings.map((now) => {
      while (this.#readings[from]!.time < now.time - windowSeconds) from++;
      const before = this.#readings[from]!;
      const prompt = now.prompt - before.prompt;
      return prompt > 0 ? ((now.reused - before.reused) / prompt) * 100 : null;
    });
    return [this.#times(), rates];
  }

  /** Time to first token in seconds of each request, a column for each source that served most of it. */
  ttft(sources: readonly Source[]): Columns {
    const served = this.#served.filter(({ time }) => time >= (this.start ?? Infinity) - 1);
    return [served.map(({ time }) => time), ...sources.map((source) => served.map((one) => (one.source === source ? one.ttft : null)))];
  }

  /** Evicted blocks since the page was opened, a column for each tier. */
  evictions(): Columns {
    const first = this.#readings[0];
    return [this.#times(), ...tierNames.map((tier) =>
      this.#readings.map(({ evictions }) => (tier in evictions ? evictions[tier]! - (first!.evictions[tier] ?? 0) : null)))];
  }

  /** Seconds of computing saved since the page was opened. */
  saved(): Columns {
    const first = this.#readings[0]?.saved ?? 0;
    return [this.#times(), this.#readings.map(({ saved }) => saved - first)];
  }

  #times = (): number[] => this.#readings.map(({ time }) => time);
}

const reading = ({ time, tokens, saved_s, tiers }: Stats): Reading => ({
  time,
  prompt: tokens.prompt,
  reused: tokens.reused,
  saved: saved_s,
  evictions: Object.fromEntries(tiers.map(({ tier, evictions }) => [tier, evictions])),
});
