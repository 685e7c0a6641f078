using Kvasir.Formats.Models;
using Kvasir.Inference.Kernels;

namespace Kvasir.Inference.Model;

/// <summary>The rotations of each layer. Layers that rotate alike share a table.</summary>
sealed class RotaryTables : IDisposable
{
    readonly RopeTable?[] _ofLayers;
    readonly RopeTable[] _tables;

    /// <param name="spec">The model.</param>
    /// <param name="divisors">Divisors of frequencies that came with the weights; null where none did.</param>
    /// <param name="context">Tokens of context that are served.</param>
    /// <param name="maxTokens">Most rows of a batch.</param>
    public RotaryTables(ModelSpec spec, float[]? divisors, int context, int maxTokens)
    {
        RopeSpec?[] ropes = [.. spec.Layers.Select(layer => layer.Attention?.Rope)];
        Dictionary<RopeSpec, RopeTable> tables = ropes.OfType<RopeSpec>().Distinct()
            .ToDictionary(rope => rope, rope => new RopeTable(rope, Divisors(rope, divisors, context), maxTokens));
        _ofLayers = [.. ropes.Select(rope => rope is null ? null : tables[rope])];
        _tables = [.. tables.Values];
    }

    /// <summary>The rotations of a layer; null where positions rotate nothing.</summary>
    public RopeTable? this[int layer] => _ofLayers[layer];

    /// <summary>Says at which position a row is.</summary>
    public void Place(int row, int position)
    {
        foreach (RopeTable table in _tables)
            table.Place(row, position);
    }

    public void Dispose()
    {
        foreach (RopeTable table in _tables)
            table.Dispose();
    }

    /// <summary>Whether a context of so many tokens is rotated as a long one, by a rope that tells long ones from short ones.</summary>
    public static bool IsLong(RopeSpec? rope, int context) =>
        rope?.Scaling is { DependsOnContext: true, OriginalContext: { } original } && context > original;

    static float[] Divisors(RopeSpec rope, float[]? given, int context)
    {
        float[] divisors = new float[rope.Dims / 2];
        Array.Fill(divisors, 1);
        divisors = rope.Scaling?.Divisors(rope.Base, rope.Dims, IsLong(rope, context)) ?? divisors;
        for (int i = 0; i < divisors.Length && rope.HasDivisors; i++)
            divisors[i] *= given![i];
        return divisors;
    }
}
