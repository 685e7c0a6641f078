// Pretended views: what policies have made of two documents.
const layers = 12;
const heads = 8;

/** A view whose heads keep what a wave says, so that every one looks like another. */
function view(id, policy, positions, share, wave) {
  const kept = Array.from({ length: layers }, (_, layer) => Array.from({ length: heads }, (_, head) =>
    Math.max(36, Math.min(positions, Math.round(positions * share * (1 + 0.9 * Math.sin(wave * layer + head * 1.7)))))));
  const mean = kept.flat().reduce((sum, count) => sum + count, 0) / (layers * heads);
  const exact = positions * 24_576;
  return { id, policy, positions, kept, kept_share: mean / positions, bytes: Math.round((exact * mean) / positions * 1.06),
    exact_bytes: exact, key_type: 'f16', value_type: 'f16', ...mass(policy), step_bytes_saved: Math.round(exact * (1 - mean / positions)),
    step_saved_s: (exact * (1 - mean / positions)) / 2e10 };
}

/** Nobody looks at a prefix of which a window is kept. */
const mass = (policy) => (policy.startsWith('window') ? { mass: null, least_mass: null } : { mass: 0.912, least_mass: 0.551 });

export const views = [
  view('5d0c81f2a37e94b6', 'replay:25%,alloc=global,sinks=4,recent=32,min=512 v1', 2096, 0.25, 0.9),
  view('b71b74332b42577b', 'fastgen:0.95,sinks=4,recent=32,min=512 v1', 1504, 0.6, 0.4),
  view('0fe2c96d18a4537c', 'window:512+4,min=512 v1', 4080, 0.126, 0),
];

export const viewCounts = (some) => ({
  count: some.length, bytes: sum(some, 'bytes'), exact_bytes: sum(some, 'exact_bytes'), reclaimable_bytes: sum(some, 'bytes'),
});

const sum = (some, name) => some.reduce((total, one) => total + one[name], 0);
