using System.Runtime.Intrinsics;
using Kvasir.KvCache;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference.Retention;

/// <summary>The keys and values of a prefix as they are stored, read back.</summary>
sealed unsafe class PrefixRows(KvLayout layout, BlockTable blocks, int positions)
{
    /// <summary>The keys of a head, [positions, key dim].</summary>
    public float[] Keys(int layer, int head)
    {
        int dim = layout.Layers[layer].KeyDim, bytes = layout.KeyRowBytes(layer);
        float[] keys = new float[positions * dim];
        for (int position = 0; position < positions; position++)
            layout.KeyCodec.Decode(new(Row(position, layout.KeyOffset(layer, head), bytes), bytes), keys.AsSpan(position * dim, dim));
        return keys;
    }

    /// <summary>How long the values of a head are, [positions].</summary>
    public float[] ValueLengths(int layer, int head)
    {
        int bytes = layout.ValueRowBytes(layer);
        float[] lengths = new float[positions], value = new float[layout.Layers[layer].ValueDim];
        for (int position = 0; position < positions; position++)
        {
            layout.ValueCodec.Decode(new(Row(position, layout.ValueOffset(layer, head), bytes), bytes), value);
            lengths[position] = MathF.Sqrt(Dot(value, value));
        }
        return lengths;
    }

    /// <summary>In eight sums whatever the machine's vectors, so that bits are the same everywhere.</summary>
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        Vector256<float> sums = default;
        int i = 0;
        for (; i + Vector256<float>.Count <= a.Length; i += Vector256<float>.Count)
            sums += Vector256.Create(a[i..]) * Vector256.Create(b[i..]);
        float sum = 0;
        for (int lane = 0; lane < Vector256<float>.Count; lane++)
            sum += sums[lane];
        for (; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }

    byte* Row(int position, long offset, int bytes)
    {
        (int block, int token) = Math.DivRem(position, layout.BlockTokens);
        return blocks.Address(block) + offset + (long)token * bytes;
    }
}
