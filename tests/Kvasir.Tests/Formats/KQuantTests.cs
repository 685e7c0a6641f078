using System.Security.Cryptography;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Sampling;

namespace Kvasir.Tests.Formats;

/// <summary>K-quants that we write: how much they lose, that no value is far off, and that bytes never change.</summary>
public sealed class KQuantTests
{
    const int Blocks = 64, Elements = 256;

    public static readonly TensorType[] All = [TensorType.Q4_K, TensorType.Q5_K, TensorType.Q6_K];

    public static TheoryData<TensorType> Types => [.. All];

    /// <summary>
    /// Of normally distributed values, as shares of their deviation: what is lost is below what the older types of as many bits lose, and
    /// no more than what ggml's quantiser loses (0.0706, 0.0358 and 0.0175 of such values, computed by its formulas).
    /// </summary>
    [Theory]
    [InlineData(TensorType.Q4_K, 0.0705, TensorType.Q4_1)]
    [InlineData(TensorType.Q5_K, 0.0348, TensorType.Q5_1)]
    [InlineData(TensorType.Q6_K, 0.0175, TensorType.Q5_1)]
    public void Less_is_lost_than_by_older_types(TensorType type, double bound, TensorType older)
    {
        float[] values = Normal(Blocks * Elements, seed: 1);
        double lost = Lost(type, values);
        double before = Lost(older, values);
        TestContext.Current.TestOutputHelper?.WriteLine($"{type.DisplayName()} {lost:0.00000}, {older.DisplayName()} {before:0.00000}");
        Assert.InRange(lost, 0, bound);
        Assert.InRange(lost, 0, 0.95 * before);
    }

    /// <summary>Values that a block can say exactly are said exactly, or nearly: its scales are halves.</summary>
    [Theory, MemberData(nameof(Types))]
    public void What_was_of_the_type_stays_what_it_is(TensorType type)
    {
        float[] values = Normal(Blocks * Elements, seed: 2), once = Through(type, values);
        double lost = Deviation(once, Through(type, once)) / Deviation(once, new float[once.Length]);
        Assert.InRange(lost, 0, type == TensorType.Q6_K ? 2e-3 : 8e-3);
    }

    /// <summary>All but the smallest of halves, where scales have too few bits, and blocks that are flat or have one large value.</summary>
    [Theory, MemberData(nameof(Types))]
    public void No_value_is_further_off_than_a_step(TensorType type)
    {
        foreach (float scale in (float[])[1e-2f, 1, 1000])
            foreach (Func<int, float> shape in (Func<int, float>[])[
                i => 0, i => 1, i => -1, i => i % 2, i => i - 128, i => i == 77 ? 128 : 0.1f, i => i == 5 ? -128 : 0, i => 300 + i % 3])
            {
                float[] values = [.. Enumerable.Range(0, Elements).Select(i => shape(i) * scale)], read = Through(type, values);
                float range = Math.Max(values.Max(), 0) - Math.Min(values.Min(), 0), steps = type == TensorType.Q4_K ? 15 : 31;
                Assert.All(values.Zip(read), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, range / steps * 0.75f + 1e-6f));
            }
    }

    /// <summary>The search compares sums in one order, so other machines, and later versions, write the same bytes.</summary>
    [Theory]
    [InlineData(TensorType.Q4_K, "b5a3204f53c78aa7")]
    [InlineData(TensorType.Q5_K, "ff0cda039a25ef88")]
    [InlineData(TensorType.Q6_K, "bd3ca04a8445f0a9")]
    public void The_bytes_are_golden(TensorType type, string hash)
    {
        float[] values = Normal(Blocks * Elements, seed: 3);
        Assert.Equal(hash, Convert.ToHexStringLower(SHA256.HashData(Pack(type, values)))[..16]);
    }

    static double Lost(TensorType type, float[] values) => Deviation(values, Through(type, values));

    static double Deviation(float[] one, float[] other) =>
        Math.Sqrt(one.Zip(other, (left, right) => Math.Pow((double)left - right, 2)).Average());

    static float[] Through(TensorType type, float[] values)
    {
        float[] read = new float[values.Length];
        RowFormat.Dequantize(type, Pack(type, values), read);
        return read;
    }

    static byte[] Pack(TensorType type, float[] values)
    {
        byte[] bytes = new byte[type.RowBytes(values.Length)];
        RowFormat.Quantize(type, values, bytes);
        return bytes;
    }

    /// <summary>Sums of twelve uniform values, which all machines draw alike.</summary>
    static float[] Normal(int count, ulong seed)
    {
        var random = new SplitMix64(seed);
        float[] values = new float[count];
        foreach (ref float value in values.AsSpan())
        {
            long sum = 0;
            for (int i = 0; i < 12; i++)
                sum += (long)(random.Next() >> 40);
            value = (sum - 6L * (1 << 24)) / (float)(1 << 24);
        }
        return values;
    }
}
