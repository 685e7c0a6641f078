using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;

namespace Kvasir.Planning.Sizing;

/// <summary>
/// How many tokens layers keep. Policies concern layers that attend to everything; a sliding layer keeps what its
/// window shows, whatever the policy.
/// </summary>
public abstract partial record Retention
{
    Retention() { }

    /// <summary>What <see cref="Parse"/> reads.</summary>
    public const string Forms = "pyramidkv:BUDGET, window:TOKENS, window:TOKENS+SINKS or fastgen:SHARE-PRUNED, such as fastgen:0.449";

    /// <summary>Every token is kept.</summary>
    public static Retention Everything { get; } = new All();

    /// <summary>Reads a policy as users write it.</summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    public static Retention Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Match match = Pattern().Match(text);
        return match.Groups["window"].Success ? new Window(Tokens(match.Groups["tokens"]),
            match.Groups["sinks"].Success ? Tokens(match.Groups["sinks"]) : 0)
            : match.Groups["budget"].Success && Tokens(match.Groups["budget"]) is > PyramidKv.Recent and int budget ? new PyramidKv(budget)
            : match.Groups["share"].Success ? new FastGen(decimal.Parse(match.Groups["share"].Value, CultureInfo.InvariantCulture))
            : throw new ArgumentException(
                $"retention {Printable.Quote(text)}: expected {Forms}; a budget is above {PyramidKv.Recent}, a share below 1");
    }

    /// <summary>
    /// Tokens that each layer keeps of a sequence; of a layer that reads another's, those that it reads, and 0 without attention.
    /// </summary>
    /// <exception cref="ArgumentException">The policy would change nothing, since no layer attends to everything.</exception>
    public ImmutableArray<long> Kept(ModelSpec spec, long tokens)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        AttentionSpec?[] layers = [.. spec.Layers.Select(layer => layer.Attention)];
        int[] unlimited = [.. Enumerable.Range(0, layers.Length)
            .Where(layer => layers[layer] is { Window: null } attention && attention.Producer == layer)];
        if (unlimited.Length == 0 && this is not All)
            throw new ArgumentException($"retention {this}: {spec.Name} has no layer that attends to everything");
        long[] kept = [.. layers.Select(layer => layer is null ? 0 : Math.Min(tokens, layer.Window ?? tokens))];
        long[] budgets = Budgets(tokens, unlimited.Length);
        for (int i = 0; i < unlimited.Length; i++)
            kept[unlimited[i]] = budgets[i];
        return [.. layers.Select((layer, i) => kept[layer?.Producer ?? i])];
    }

    /// <summary>Tokens that each of so many layers keeps.</summary>
    protected abstract long[] Budgets(long tokens, int layers);

    static long[] Same(long tokens, int layers)
    {
        long[] budgets = new long[layers];
        Array.Fill(budgets, tokens);
        return budgets;
    }

    static int Tokens(Group digits) =>
        int.TryParse(digits.Value, CultureInfo.InvariantCulture, out int value) && value is >= 1 and <= 1 << 30
        ? value
        : throw new ArgumentException($"retention: {Printable.Line(digits.Value)} tokens, expected 1 to {1 << 30}");

    [GeneratedRegex(@"^(?:(?<window>window):(?<tokens>\d{1,12})(?:\+(?<sinks>\d{1,12}))?|pyramidkv:(?<budget>\d{1,12})|fastgen:(?<share>0(?:\.\d{1,9})?))\z", RegexOptions.IgnoreCase)]
    private static partial Regex Pattern();

    sealed record All : Retention
    {
        protected override long[] Budgets(long tokens, int layers) => Same(tokens, layers);

        public override string ToString() => "everything";
    }

    /// <summary>The last tokens, and the first ones as sinks (StreamingLLM, Xiao et al., 2023, https://arxiv.org/abs/2309.17453).</summary>
    /// <param name="Last">Tokens kept from the end.</param>
    /// <param name="Sinks">Tokens kept from the start.</param>
    public sealed record Window(int Last, int Sinks) : Retention
    {
        /// <inheritdoc/>
        protected override long[] Budgets(long tokens, int layers) => Same(Math.Min(tokens, (long)Last + Sinks), layers);

        /// <inheritdoc/>
        public override string ToString() => Sinks == 0 ? $"window:{Last}" : $"window:{Last}+{Sinks}";
    }

    /// <summary>
    /// More in the first layers than in the last, on a straight line (PyramidKV, Cai et al., 2024, https://arxiv.org/abs/2406.02069,
    /// with its β = 20 and α = 8). Budgets are whole tokens by largest remainder, so that their sum is exact; the published code
    /// rounds steps down and overspends.
    /// </summary>
    /// <param name="Budget">Tokens that a layer keeps on average.</param>
    public sealed record PyramidKv(int Budget) : Retention
    {
        /// <summary>Recent tokens that every layer keeps, within its budget: α.</summary>
        public const int Recent = 8;

        const int Steepness = 20; // β

        /// <inheritdoc/>
        protected override long[] Budgets(long tokens, int layers)
        {
            if (tokens <= Budget || layers == 0)
                return Same(tokens, layers);
            // Everything times 20, so that both ends of the line are whole. No layer can keep more tokens than there
            // are: then the line is flatter.
            long mean = Budget - Recent, first = Math.Min(2 * Steepness * mean - mean, Steepness * (tokens - Recent)),
                last = 2 * Steepness * mean - first;
            return layers == 1 ? [Budget] : Line(first, last, layers, mean * layers);
        }

        /// <summary>
        /// Whole numbers along a line, whose sum is <paramref name="total"/>: those with the largest remainders are rounded up.
        /// </summary>
        static long[] Line(long first, long last, int layers, long total)
        {
            long unit = Steepness * (layers - 1L);
            long[] exact = [.. Enumerable.Range(0, layers).Select(layer => first * (layers - 1L) - (first - last) * layer)];
            long missing = total - exact.Sum(value => value / unit);
            HashSet<int> roundedUp = [.. Enumerable.Range(0, layers).OrderByDescending(layer => exact[layer] % unit).Take((int)missing)];
            return [.. exact.Select((value, layer) => value / unit + (roundedUp.Contains(layer) ? 1 : 0) + Recent)];
        }

        /// <inheritdoc/>
        public override string ToString() => $"pyramidkv:{Budget}";
    }

    /// <summary>
    /// Each head keeps what its attention needs (FastGen, Ge et al., 2023, https://arxiv.org/abs/2310.01801). How
    /// much that is has to be measured.
    /// </summary>
    /// <param name="Pruned">The measured share of the cache that is not kept; 0 to 1, 1 excluded.</param>
    public sealed record FastGen(decimal Pruned) : Retention
    {
        /// <inheritdoc/>
        protected override long[] Budgets(long tokens, int layers) => Same((long)Math.Ceiling(tokens * (1 - Pruned)), layers);

        /// <inheritdoc/>
        public override string ToString() => FormattableString.Invariant($"fastgen:{Pruned}");
    }
}
