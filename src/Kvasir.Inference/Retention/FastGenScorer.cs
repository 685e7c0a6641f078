using System.Text;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Retention;

namespace Kvasir.Inference.Retention;

/// <summary>
/// What each head needs, told from what the last 32 rows look at (FastGen, Ge et al., 2023, https://arxiv.org/abs/2310.01801; the paper
/// looks at all rows). A KV head needs what any of its query heads does.
/// </summary>
sealed class FastGenScorer : Scorer
{
    readonly RetentionPolicy _policy;
    readonly bool[] _special, _punctuation;
    readonly FloatRows _rows; // of one layer: [KV head, query head of the group, row, position]

    public FastGenScorer(RetentionPolicy policy, int[] tokens, int firstRow, ProfileParts parts) : base(tokens.Length, firstRow, parts)
    {
        _policy = policy;
        _special = [.. tokens.Select(token => parts.Tokenizer.Type(token) is TokenType.Control or TokenType.Unknown)];
        _punctuation = [.. tokens.Select(token => IsPunctuation(parts.Tokenizer.Bytes(token)))];
        int rows = tokens.Length - firstRow;
        if (rows > parts.Transformer.MaxTokens)
            throw new ArgumentException($"prefill chunk: {parts.Transformer.MaxTokens} tokens, expected at least {rows} for {policy}");
        _rows = new FloatRows(parts.Config.Layers.Max(layer => layer.Attention!.Heads) * rows, tokens.Length);
        Heads = [.. parts.Layout.Layers.Select((layer, index) => new FastGenHead[parts.Selects(index) ? layer.KvHeads : 0])];
    }

    /// <summary>What each KV head of each layer needs.</summary>
    public FastGenHead[][] Heads { get; }

    protected override void Observe(CpuKernels kernels, AttentionInput attention, int firstSeen)
    {
        int rows = attention.Rows, group = attention.Group;
        kernels.Observe(attention, Observation.Sum, Seen, firstSeen, ..);
        if (!Parts.Selects(attention.Layer))
            return; // another layer's keys and values
        kernels.Observe(attention, Observation.Rows, _rows, 0, ..);
        float[] seen = new float[group * rows * Positions];
        for (int head = 0; head < attention.KvHeads; head++)
        {
            for (int row = 0; row < group * rows; row++)
                _rows.Span(head * group * rows + row).CopyTo(seen.AsSpan(row * Positions));
            Heads[attention.Layer][head] = FastGen.Classify(
                seen, group, rows, Positions, _special, _punctuation, _policy.Threshold, _policy.Sinks, _policy.Recent);
        }
    }

    static bool IsPunctuation(ReadOnlySpan<byte> text)
    {
        string characters = Encoding.UTF8.GetString(text).Trim();
        return characters.Length > 0 && characters.All(char.IsPunctuation);
    }

    public override void Dispose()
    {
        _rows.Dispose();
        base.Dispose();
    }
}
