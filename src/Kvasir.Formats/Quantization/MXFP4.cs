namespace Kvasir.Formats.Quantization;

/// <summary>
/// 32 floats of four bits (a sign, two bits of exponent, one of mantissa) with a scale that is a power of 2: x = 2^(e − 128)·v, where v is
/// twice the float, and so a whole number. Open Compute Project, Microscaling Formats, 2023; blocks as ggml lays them out:
/// <code>
/// byte  0      e
/// byte  1..16  choices of v: the low four bits of a byte are those of value j, the high four those of value j + 16
/// </code>
/// </summary>
static class MXFP4
{
    /// <summary>Bytes of a block.</summary>
    public const int Bytes = 17;

    /// <summary>Where a block's choices begin.</summary>
    public const int Quants = 1;

    /// <summary>The scale of which the format says that it is no number.</summary>
    public const byte NoScale = 255;

    const int Elements = 32, Half = 16;

    /// <summary>Twice the floats: 0 to 6, and negated.</summary>
    public static ReadOnlySpan<sbyte> Values => [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
        {
            float scale = BitConverter.Int32BitsToSingle(ScaleBits(row[0]));
            for (int j = 0; j < Half; j++)
            {
                destination[j] = scale * Values[row[Quants + j] & 15];
                destination[j + Half] = scale * Values[row[Quants + j] >> 4];
            }
        }
    }

    /// <summary>
    /// The bits of the float 2^(e − 128): an exponent of its own from 2 on, and below that the two largest powers that have none.
    /// </summary>
    public static int ScaleBits(int e) => Math.Max((e - 1) << 23, (e + 1) << 21);

    /// <summary>The 32 choices of one group of a row.</summary>
    public static void Unpack(ReadOnlySpan<byte> row, int group, Span<byte> quants) =>
        IQ4.Unpack(row.Slice(group * Bytes + Quants, Half), quants);

    /// <summary>The first block of some rows whose scale is no number; -1 for none.</summary>
    public static int FirstWithoutScale(ReadOnlySpan<byte> rows)
    {
        for (int at = 0; at < rows.Length; at += Bytes)
            if (rows[at] == NoScale)
                return at / Bytes;
        return -1;
    }
}
