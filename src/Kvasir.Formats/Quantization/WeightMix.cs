using System.Globalization;

namespace Kvasir.Formats.Quantization;

/// <summary>Which type each matrix of a model gets: one for all, or the mixture that llama.cpp calls q4_k_m.</summary>
public sealed record WeightMix
{
    const string Mixture = "q4_k_m", Output = "output.weight", Embedding = "token_embd.weight";

    WeightMix(string name, TensorType type, uint fileType, bool isMixture = false) =>
        (Name, Type, FileType, IsMixture) = (name, type, fileType, isMixture);

    /// <summary>Every mix that can be written, by name: all types that can, and the mixture.</summary>
    public static IReadOnlyDictionary<string, WeightMix> All { get; } = ((WeightMix[])
    [
        .. Enum.GetValues<TensorType>().Where(RowFormat.CanQuantize)
            .Select(type => new WeightMix(type.DisplayName(), type, FileTypeOf(type))),
        new(Mixture, TensorType.Q4_K, 15, isMixture: true),
    ]).ToDictionary(mix => mix.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Name as users type it.</summary>
    public string Name { get; }

    /// <summary>The number that llama.cpp gives to files whose matrices are so.</summary>
    internal uint FileType { get; }

    TensorType Type { get; }

    bool IsMixture { get; }

    /// <summary>One type for all matrices.</summary>
    /// <exception cref="ArgumentException">It can only be read.</exception>
    public static WeightMix Of(TensorType type) => All.TryGetValue(type.DisplayName(), out WeightMix? mix)
        ? mix
        : throw new ArgumentException($"{type.DisplayName()} can only be read", nameof(type));

    /// <summary>
    /// The type of a matrix; null where its rows are no whole blocks, so that it stays as it is. In the mixture, the output (the embedding,
    /// where that is both) and half of the value and down projections get six bits, and queries, keys and values in one matrix five.
    /// </summary>
    /// <param name="tensor">Its name.</param>
    /// <param name="columns">Its columns.</param>
    /// <param name="layers">Layers of the model.</param>
    /// <param name="isTied">Whether the embedding is the output, too.</param>
    internal TensorType? TypeOf(string tensor, long columns, int layers, bool isTied)
    {
        TensorType type = IsMixture ? MixedTypeOf(tensor, layers, isTied) : Type;
        if (columns % type.BlockElements() == 0)
            return type;
        TensorType substitute = (IsMixture, type) switch // llama.cpp's, for rows of whole small blocks only
        {
            (true, TensorType.Q4_K) => TensorType.Q5_0,
            (true, TensorType.Q5_K) => TensorType.Q5_1,
            (true, _) => TensorType.Q8_0,
            _ => type,
        };
        return columns % substitute.BlockElements() == 0 ? substitute : null;
    }

    static TensorType MixedTypeOf(string tensor, int layers, bool isTied)
    {
        if (tensor == (isTied ? Embedding : Output))
            return TensorType.Q6_K;
        if (tensor.Split('.') is not ["blk", var index, var part, ..]
            || !int.TryParse(index, NumberStyles.None, CultureInfo.InvariantCulture, out int layer))
            return TensorType.Q4_K;
        bool more = layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
        return part is "attn_qkv" ? TensorType.Q5_K
            : more && part is "attn_v" or "ffn_down" or "ffn_down_exps" ? TensorType.Q6_K : TensorType.Q4_K;
    }

    static uint FileTypeOf(TensorType type) => type switch
    {
        TensorType.F32 => 0,
        TensorType.F16 => 1,
        TensorType.Q4_0 => 2,
        TensorType.Q4_1 => 3,
        TensorType.Q8_0 => 7,
        TensorType.Q5_0 => 8,
        TensorType.Q5_1 => 9,
        TensorType.Q4_K => 14,
        TensorType.Q5_K => 16,
        TensorType.Q6_K => 18,
        TensorType.BF16 => 32,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "rows of this type can only be read"),
    };
}
