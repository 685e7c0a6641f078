// The JSON that `kvasir serve` speaks. Sizes are bytes, times seconds, positions tokens.

export type TierName = 'device' | 'host' | 'disk' | 'remote';
export type Source = TierName | 'computed';

/** From warmest to coldest; the order of everything on the page. */
export const tierNames: readonly TierName[] = ['device', 'host', 'disk', 'remote'];
export const sources: readonly Source[] = [...tierNames, 'computed'];

export interface Tier {
  tier: TierName;
  capacity_bytes: number;
  used_bytes: number;
  capacity_blocks: number;
  blocks: number;
  leased_blocks: number;
  pinned_blocks: number;
  evictions: number;
  hit_tokens: number;
  in_bytes: number;
  in_s: number;
  out_bytes: number;
  out_s: number;
  directory?: string | null;
  problem?: string | null;
}

export interface WindowTier { tier: TierName; used_bytes: number; blocks: number; capacity_blocks: number }

export interface Ttft {
  tier: Source;
  count: number;
  p50_s?: number | null;
  p95_s?: number | null;
}

export interface Stats {
  time: number;
  uptime_s: number;
  model: { id: string; fingerprint: string; block_tokens: number; bytes_per_token: number; context: number };
  tiers: Tier[];
  tokens: { prompt: number; reused: number; computed: number; completion: number };
  misses: Record<string, number>;
  requests: Record<RequestCount, number>;
  saved_s: number;
  ttft: Ttft[];
  /** Which node of a cluster it is, and who computes its prompts. */
  node?: { name: string; role: string; prefill_nodes: PrefillNode[] | null } | null;
  /** Tokens that other nodes brought. */
  peer_tokens?: number;
  /** Blocks of layers with windows, where these have their own: what of a tier's bytes they take. */
  windows?: { tokens: number; block_bytes: number; tiers: WindowTier[] } | null;
  /** What retention policies have made of prefixes. */
  views?: { count: number; bytes: number; exact_bytes: number; reclaimable_bytes: number };
}

/** What a retention policy keeps of a prefix: of each layer, how many positions each head. */
export interface View {
  id: string;
  policy: string;
  positions: number;
  kept: number[][];
  kept_share: number;
  bytes: number;
  exact_bytes: number;
  key_type: string;
  value_type: string;
  /** Which share of their attention rows gave to what is kept, over heads; null where none looked. */
  mass?: number | null;
  least_mass?: number | null;
  /** What a step reads less, and about the seconds that this takes; null where the memory's speed is not known. */
  step_bytes_saved?: number;
  step_saved_s?: number | null;
}

export interface Views { truncated: boolean; views: View[] }

/** What a policy meant for a prompt: the view through which it was seen, or why it was seen whole. */
export interface Retention {
  policy: string;
  found?: boolean;
  positions?: number;
  kept_share?: number;
  bytes?: number;
  exact_bytes?: number;
  mass?: number;
  step_bytes_saved?: number;
  profile_s?: number;
  why_exact?: string;
}

export interface PrefillNode { address: string; name: string | null; problem: string | null; asked_tokens: number; brought_tokens: number }

export type RequestCount = 'running' | 'waiting' | 'finished' | 'cancelled' | 'rejected' | 'failed' | 'preempted';

export interface Span { from: number; to: number; source: Source }
export interface Miss { from: number; to: number; reason: string; detail?: string | null }

/** Where a prompt's tokens came from, and why the rest had to be computed. */
export interface Explain {
  reused: Partial<Record<TierName, number>>;
  computed: number;
  restored_bytes?: number;
  restore_s?: number;
  saved_s?: number;
  spans: Span[];
  miss: Miss[];
  /** Absent where no policy was asked for. */
  retention?: Retention | null;
  /** Absent where nothing was to be guessed. */
  speculative?: Drafts | null;
}

/** Tokens of an answer that were guessed and computed ahead, and those of them that were right. */
export interface Drafts { drafted: number; accepted: number; rejected: number }

export interface ServedRequest {
  id: string;
  endpoint: string;
  status: string;
  time: number;
  prompt_tokens: number;
  completion_tokens: number;
  queue_s: number;
  ttft_s: number | null;
  duration_s: number;
  kvasir: Explain | null;
}

/** A run of blocks without a branch. Parents come before their children. */
export interface TreeNode {
  id: string;
  parent: string | null;
  from: number;
  to: number;
  blocks: number;
  tiers: Partial<Record<TierName, number>>;
  /** Known of what lies on the disk. */
  last_use: number | null;
  hits?: number;
  pinned: boolean;
  leased: boolean;
  text: string | null;
}

export interface Tree { text: boolean; truncated: boolean; nodes: TreeNode[] }

export interface Pinned { pinned_blocks: number; until: number; owner: string }
export interface Unpinned { unpinned_blocks: number }
export interface Evicted { evicted_blocks: number; kept_blocks: number }
export interface Explained { prompt_tokens: number; kvasir: Explain }

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string;
  reasoning_content?: string;
  tool_calls?: ToolCall[];
  tool_call_id?: string;
}

export interface Tool { type: 'function'; function: { name: string; description?: string; parameters?: unknown } }

export interface ToolCall { id: string; type: 'function'; function: { name: string; arguments: string } }

/** More of a call: the first part has id and name, the arguments come as they are written. */
export interface CallDelta { index?: number; id?: string; function?: { name?: string; arguments?: string } }

export interface ChatChunk {
  choices?: {
    delta?: { content?: string | null; reasoning_content?: string | null; tool_calls?: CallDelta[] | null };
    finish_reason?: string | null;
  }[];
  usage?: { completion_tokens_details?: { reasoning_tokens?: number } | null } | null;
  kvasir?: Explain;
  error?: { message?: string };
}

/** What a server says of its health; a router has nodes. */
export interface Health { status: string; nodes?: number; alive?: number }

/** The nodes behind a router. */
export interface FleetAnswer { version: number; policy: string; uptime_s: number; nodes: FleetNode[] }

export interface FleetNode {
  name: string;
  address: string;
  alive: boolean;
  problem: string | null;
  since_s: number;
  role: string | null;
  running: number;
  waiting: number;
  queued_tokens: number;
  prefill_tokens_per_s: number;
  in_flight: number;
  known_pieces: number;
  routed_requests: number;
  retried_requests: number;
  failed_requests: number;
  hinted_requests: number;
  hinted_pieces: number;
  lost_pieces: number;
  stats: Stats | null;
}
