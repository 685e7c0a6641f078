namespace Kvasir.Formats.Quantization;

/// <summary>
/// The eight groups of 32 that <see cref="Q4_K"/> and <see cref="Q5_K"/> pack alike: x = (d·s)·q − (e·m) with s and m of six bits.
/// </summary>
static class ScaledGroups
{
    const int Group = 32, Groups = 8, Most = 63;

    /// <summary>Packs the scales of a block, and says its quants.</summary>
    /// <param name="values">256 values.</param>
    /// <param name="most">The largest quant.</param>
    /// <param name="scales">Receives d, e, s and m: 16 bytes.</param>
    /// <param name="quants">Receives the 256 quants.</param>
    public static void Quantize(ReadOnlySpan<float> values, int most, Span<byte> scales, Span<byte> quants)
    {
        Span<(float Scale, float Minimum)> lines = stackalloc (float, float)[Groups];
        (float scale, float minimum) = (0, 0);
        for (int group = 0; group < Groups; group++)
        {
            lines[group] = LeastSquares.Line(values.Slice(group * Group, Group), most);
            (scale, minimum) = (Math.Max(scale, lines[group].Scale), Math.Max(minimum, lines[group].Minimum));
        }
        F16.Write(scales, scale / Most);
        F16.Write(scales[2..], minimum / Most);
        (float d, float e) = (F16.Read(scales), F16.Read(scales[2..]));
        scales[4..].Clear();
        for (int group = 0; group < Groups; group++)
        {
            LeastSquares.Pair x = new(values.Slice(group * Group, Group));
            (int s, int m) = Nearest(x, lines[group], d, e, most);
            SixBitScales.Pack(scales[4..], group, s, m);
            Store(x.Quants(d * s, e * m, most), quants.Slice(group * Group, Group));
        }
    }

    /// <summary>
    /// The whole s and m, of those beside the line that was found, with which least is lost: its scale and its minimum were found together,
    /// and rounding one shifts the other.
    /// </summary>
    static (int S, int M) Nearest(LeastSquares.Pair x, (float Scale, float Minimum) line, float d, float e, int most)
    {
        int s0 = Whole(line.Scale, d), m0 = Whole(line.Minimum, e);
        (int S, int M) best = (s0, m0);
        float least = float.MaxValue;
        for (int s = Math.Max(0, s0 - 1); s <= Math.Min(Most, s0 + 1); s++)
            for (int m = Math.Max(0, m0 - 1); m <= Math.Min(Most, m0 + 1); m++)
            {
                float error = x.Error(x.Quants(d * s, e * m, most), d * s, e * m);
                if (error < least)
                    (best, least) = ((s, m), error);
            }
        return best;
    }

    static int Whole(float value, float unit) => (int)Math.Clamp(MathF.Floor(value * Rounding.InverseOrZero(unit) + 0.5f), 0, Most);

    static void Store(LeastSquares.Pair quants, Span<byte> bytes)
    {
        Span<float> values = stackalloc float[Group];
        quants.CopyTo(values);
        for (int i = 0; i < Group; i++)
            bytes[i] = (byte)values[i];
    }
}
