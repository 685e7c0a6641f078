namespace Kvasir.Inference.Kernels;

/// <summary>How pairs of a head's elements are rotated together.</summary>
public enum RopeStyle
{
    /// <summary>Elements <c>2i</c> and <c>2i + 1</c>, as GGUF files of the llama family expect.</summary>
    Adjacent,

    /// <summary>Elements <c>i</c> and <c>i + dims / 2</c>, as in GPT-NeoX and Qwen.</summary>
    Halves,
}

/// <summary>
/// Rotary position embedding: pair <c>i</c> at position <c>p</c> turns by <c>p · base^(-2i / dims) / factor[i]</c>. Su et al., 2021,
/// https://arxiv.org/abs/2104.09864; the factors are Llama 3's long-context scaling, or one number for linear scaling.
/// Angles are computed in double, so a position's rotation does not depend on the way to it.
/// </summary>
sealed unsafe class RopeTable(int dims, double frequencyBase, ReadOnlySpan<float> factors, RopeStyle style)
{
    readonly double[] _frequencies = Frequencies(dims, frequencyBase, factors);

    /// <summary>Pairs that are rotated; elements beyond them stay as they are.</summary>
    public int Pairs => _frequencies.Length;

    /// <summary>Writes a position's cosines and then sines: <c>[cos × Pairs][sin × Pairs]</c>.</summary>
    public void Fill(int position, float* rotation)
    {
        for (int i = 0; i < Pairs; i++)
        {
            (double sine, double cosine) = Math.SinCos(position * _frequencies[i]);
            rotation[i] = (float)cosine;
            rotation[Pairs + i] = (float)sine;
        }
    }

    /// <summary>Rotates one head in place.</summary>
    public void Rotate(float* head, float* rotation)
    {
        (int step, int apart) = style == RopeStyle.Adjacent ? (2, 1) : (1, Pairs);
        for (int i = 0; i < Pairs; i++)
        {
            float* x = head + i * step;
            float cosine = rotation[i], sine = rotation[Pairs + i];
            (x[0], x[apart]) = (x[0] * cosine - x[apart] * sine, x[0] * sine + x[apart] * cosine);
        }
    }

    static double[] Frequencies(int dims, double frequencyBase, ReadOnlySpan<float> factors)
    {
        double[] frequencies = new double[dims / 2];
        for (int i = 0; i < frequencies.Length; i++)
            frequencies[i] = Math.Pow(frequencyBase, -2.0 * i / dims) / factors[i];
        return frequencies;
    }
}

/// <summary>Rotates every head of every row by its position.</summary>
unsafe struct Rope(RopeTable table, FloatRows rotations, FloatRows heads, int headDim) : IComputeJob
{
    public readonly void Run(int row, int thread)
    {
        for (int offset = 0; offset < heads.Width; offset += headDim)
            table.Rotate(heads[row] + offset, rotations[row]);
    }
}
