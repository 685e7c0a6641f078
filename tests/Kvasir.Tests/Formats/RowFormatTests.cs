using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text.Json;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Sampling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Formats;

/// <summary>
/// The golden files hold seeded rows and what ggml makes of them. Bits must match: ggml's reference code, built without fused
/// multiply-add as its library is by default, rounds where we do.
/// </summary>
public sealed class RowFormatTests
{
    public static TheoryData<TensorType> AllTypes => [.. Enum.GetValues<TensorType>()];
    public static TheoryData<TensorType> GoldenTypes => [.. Enum.GetValues<TensorType>().Where(type => type != TensorType.F32)];
    public static TheoryData<TensorType> PackedTypes =>
        [.. Enum.GetValues<TensorType>().Where(type =>
            type != TensorType.F32 && RowFormat.CanQuantize(type) && !KQuantTests.All.Contains(type))];

    [Theory, MemberData(nameof(GoldenTypes))]
    public void Dequantised_rows_are_those_of_ggml_bit_for_bit(TensorType type)
    {
        JsonElement golden = Golden(type);
        byte[] expected = golden.GetProperty("values").GetBytesFromBase64();

        var values = new float[expected.Length / sizeof(float)];
        RowFormat.Dequantize(type, golden.GetProperty("rows").GetBytesFromBase64(), values);

        AssertSameBits(MemoryMarshal.Cast<byte, float>(expected), values);
    }

    public static TheoryData<TensorType, int[]> Scales => new() // where a block's halves stand
    {
        { TensorType.Q8_0, [0] }, { TensorType.Q4_0, [0] }, { TensorType.Q4_1, [0, 2] }, { TensorType.Q5_0, [0] },
        { TensorType.Q5_1, [0, 2] },
        { TensorType.Q2_K, [80, 82] }, { TensorType.Q3_K, [108] }, { TensorType.Q4_K, [0, 2] }, { TensorType.Q5_K, [0, 2] },
        { TensorType.Q6_K, [208] }, { TensorType.IQ3_XXS, [0] }, { TensorType.IQ3_S, [0] }, { TensorType.IQ4_NL, [0] },
        { TensorType.IQ4_XS, [0] }, { TensorType.MXFP4, [] },
    };

    /// <summary>Random bytes under scales near a sixteenth, of either sign; the golden file has a hash (FNV-1a) of ggml's bits.</summary>
    [Theory, MemberData(nameof(Scales))]
    public void So_are_a_thousand_random_blocks(TensorType type, int[] halves)
    {
        const int Blocks = 1000;
        byte[] rows = new byte[Blocks * type.BlockBytes()];
        var random = new SplitMix64((ulong)type);
        foreach (ref byte value in rows.AsSpan())
            value = (byte)(random.Next() >> 56);
        for (int block = 0; block < Blocks; block++)
            foreach (int half in halves)
            {
                Span<byte> scale = rows.AsSpan(block * type.BlockBytes() + half, sizeof(ushort));
                BinaryPrimitives.WriteUInt16LittleEndian(scale,
                    (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(scale) & 0x83FF | 0x2C00));
            }
        float[] values = new float[Blocks * type.BlockElements()];
        RowFormat.Dequantize(type, rows, values);
        ulong hash = 14695981039346656037;
        foreach (byte value in MemoryMarshal.AsBytes<float>(values))
            hash = unchecked((hash ^ value) * 1099511628211);
        Assert.Equal(Golden("thousand-blocks").GetProperty(type.DisplayName()).GetString(), $"{hash}");
    }

    [Theory, MemberData(nameof(PackedTypes))]
    public void Quantised_rows_are_those_of_ggml_byte_for_byte(TensorType type)
    {
        JsonElement golden = Golden(type);
        byte[] expected = golden.GetProperty("packed").GetBytesFromBase64();

        var packed = new byte[expected.Length];
        RowFormat.Quantize(type, MemoryMarshal.Cast<byte, float>(golden.GetProperty("sources").GetBytesFromBase64()), packed);

        Assert.Equal(expected, packed);
    }

    [Theory, MemberData(nameof(AllTypes))]
    public void A_row_of_another_length_is_refused(TensorType type)
    {
        var row = new byte[type.BlockBytes()];
        var values = new float[type.BlockElements() * 2];

        Assert.Throws<ArgumentException>(() => RowFormat.Dequantize(type, row, values));
    }

    [Fact]
    public void Every_16_bit_value_widens_to_the_same_bits_on_every_path()
    {
        AssertPathsAgree<F16>();
        AssertPathsAgree<BF16>();
    }

    [Fact]
    public void Every_finite_half_widens_to_its_value()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            Half half = BitConverter.UInt16BitsToHalf((ushort)bits);
            if (Half.IsNaN(half)) Assert.True(float.IsNaN(F16.Widen((ushort)bits)));
            else Assert.Equal(BitConverter.SingleToUInt32Bits((float)half), BitConverter.SingleToUInt32Bits(F16.Widen((ushort)bits)));
        }
    }

    [Theory]
    [InlineData(-0f), InlineData(1e-7f), InlineData(-3.0517578e-5f), InlineData(0.0123f), InlineData(65504f)]
    public void Every_8_bit_value_scales_to_the_same_bits_on_every_path(float scale)
    {
        Span<float> scalar = stackalloc float[Scaling.Count], narrow = stackalloc float[Scaling.Count],
            wide = stackalloc float[Scaling.Count];
        for (int first = sbyte.MinValue; first <= sbyte.MaxValue; first += Scaling.Count)
        {
            Vector128<sbyte> values = Vector128.CreateSequence((sbyte)first, (sbyte)1);
            Scaling.ScaleScalar(values, scale, ref scalar[0]);
            Scaling.Scale256(values, scale, ref narrow[0]);
            Scaling.Scale512(values, scale, ref wide[0]);
            AssertSameBits(scalar, narrow);
            AssertSameBits(scalar, wide);
        }
    }

    [Theory]
    [InlineData(0.5f, 1), InlineData(-0.5f, -1), InlineData(0.49999997f, 0), InlineData(126.5f, 127), InlineData(-126.5f, -127)]
    [InlineData(float.NaN, 0), InlineData(float.PositiveInfinity, 0), InlineData(float.NegativeInfinity, 0)]
    public void Ties_round_away_from_zero_and_what_is_no_number_becomes_zero(float value, int expected) =>
        Assert.Equal(expected, Rounding.Nearest(value));

    static void AssertPathsAgree<T>() where T : IWidening
    {
        ushort[] all = [.. Enumerable.Range(0, 1 << 16).Select(bits => (ushort)bits)];
        float[] scalar = new float[all.Length], narrow = new float[all.Length], wide = new float[all.Length];

        Widening.WidenScalar<T>(all, scalar);
        Assert.Equal(all.Length, Widening.Widen256<T>(all, narrow));
        Assert.Equal(all.Length, Widening.Widen512<T>(all, wide));

        AssertSameBits(scalar, narrow);
        AssertSameBits(scalar, wide);
    }

    static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual) =>
        Assert.Equal(MemoryMarshal.Cast<float, uint>(expected), MemoryMarshal.Cast<float, uint>(actual));

    static JsonElement Golden(TensorType type) => Golden(type.DisplayName());

    static JsonElement Golden(string name)
    {
        string path = Path.Combine(Checkout.Root, "tests/Kvasir.Tests/Golden/quantization", $"{name}.json");
        return JsonDocument.Parse(File.ReadAllBytes(path)).RootElement;
    }
}
