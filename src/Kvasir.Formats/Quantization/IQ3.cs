using System.Buffers.Binary;
using System.Numerics;

namespace Kvasir.Formats.Quantization;

/// <summary>
/// Three bits that choose one of eight magnitudes, and a sign: what <see cref="IQ3_XXS"/> and <see cref="IQ3_S"/> share. A choice is
/// the magnitude's number and, above it, the sign.
/// </summary>
static class IQ3
{
    public const int Group = 32, Four = 4;
    const int Sign = 8;

    /// <summary>Chooses four values of a point.</summary>
    public static void Choose(ushort point, int signs, Span<byte> choices)
    {
        for (int i = 0; i < Four; i++)
            choices[i] = (byte)(point >> 3 * i & 7 | (signs >> i & 1) * Sign);
    }

    /// <summary>The values of choices.</summary>
    public static void Dequantize(ReadOnlySpan<byte> choices, ReadOnlySpan<sbyte> values, float scale, Span<float> destination)
    {
        for (int i = 0; i < Group; i++)
            destination[i] = scale * values[choices[i]];
    }
}

/// <summary>
/// 256 values in eight groups of 32: x = (d·(s + ½)·½)·v.
/// <code>
/// byte   0..1    d, binary16
/// byte   2..65   points, eight a group, see <see cref="IQ3Grids"/>
/// byte  66..97   a word for each group: four times seven bits, each the signs of eight values, of which the eighth makes their
///                number even; above them s, four bits
/// </code>
/// </summary>
static class IQ3_XXS
{
    const int Elements = 256, Bytes = 98, Points = 2, Words = 66;

    /// <summary>The values of choices.</summary>
    public static ReadOnlySpan<sbyte> Values => [4, 12, 20, 28, 36, 44, 52, 62, -4, -12, -20, -28, -36, -44, -52, -62];

    /// <summary>What d is multiplied with beside <see cref="ScaleOf"/>.</summary>
    public const float Factor = 0.25f;

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        Span<byte> choices = stackalloc byte[IQ3.Group];
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
            for (int group = 0; group < Elements / IQ3.Group; group++)
            {
                Unpack(row, group, choices);
                IQ3.Dequantize(choices, Values, F16.Read(row) * ScaleOf(row, group) * Factor, destination[(group * IQ3.Group)..]);
            }
    }

    /// <summary>What d is multiplied with for a group of a block: 1, 3, … 31, four times too much.</summary>
    public static sbyte ScaleOf(ReadOnlySpan<byte> block, int group) => (sbyte)(1 + 2 * (int)(Word(block, group) >> 28));

    /// <summary>The 32 choices of one group of a row, eight a block.</summary>
    public static void Unpack(ReadOnlySpan<byte> row, int group, Span<byte> choices)
    {
        ReadOnlySpan<byte> block = row.Slice(group / 8 * Bytes, Bytes), points = block.Slice(Points + group % 8 * 8, 8);
        uint word = Word(block, group % 8);
        for (int i = 0; i < 8; i++)
        {
            uint seven = word >> i / 2 * 7 & 127, signs = seven | (uint)(BitOperations.PopCount(seven) & 1) << 7;
            IQ3.Choose(IQ3Grids.Small[points[i]], (int)signs >> i % 2 * IQ3.Four, choices[(i * IQ3.Four)..]);
        }
    }

    static uint Word(ReadOnlySpan<byte> block, int group) =>
        BinaryPrimitives.ReadUInt32LittleEndian(block[(Words + group * sizeof(uint))..]);
}

/// <summary>
/// 256 values in eight groups of 32: x = (d·(1 + 2·s))·v.
/// <code>
/// byte    0..1     d, binary16
/// byte    2..65    lower eight bits of points, eight a group, see <see cref="IQ3Grids"/>
/// byte   66..73    a byte for each group: the ninth bits of its points
/// byte   74..105   signs, a bit a value
/// byte  106..109   s, two groups a byte, from the low half up
/// </code>
/// </summary>
static class IQ3_S
{
    const int Elements = 256, Bytes = 110, Points = 2, Ninths = 66, Signs = 74, Scales = 106;

    /// <summary>The values of choices.</summary>
    public static ReadOnlySpan<sbyte> Values => [1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15];

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        Span<byte> choices = stackalloc byte[IQ3.Group];
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
            for (int group = 0; group < Elements / IQ3.Group; group++)
            {
                Unpack(row, group, choices);
                IQ3.Dequantize(choices, Values, F16.Read(row) * ScaleOf(row, group), destination[(group * IQ3.Group)..]);
            }
    }

    /// <summary>What d is multiplied with for a group of a block: 1, 3, … 31.</summary>
    public static sbyte ScaleOf(ReadOnlySpan<byte> block, int group) => (sbyte)(1 + 2 * (block[Scales + group / 2] >> group % 2 * 4 & 15));

    /// <summary>The 32 choices of one group of a row, eight a block.</summary>
    public static void Unpack(ReadOnlySpan<byte> row, int group, Span<byte> choices)
    {
        ReadOnlySpan<byte> block = row.Slice(group / 8 * Bytes, Bytes);
        group %= 8;
        for (int i = 0; i < 8; i++)
        {
            int point = block[Points + group * 8 + i] | (block[Ninths + group] >> i & 1) << 8;
            IQ3.Choose(IQ3Grids.Large[point], block[Signs + group * 4 + i / 2] >> i % 2 * IQ3.Four, choices[(i * IQ3.Four)..]);
        }
    }
}
