using Kvasir.Inference.Kernels.Panels;

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

    /// <summary>Elements that are rotated; those beyond stay as they are.</summary>
    public int Dims => dims;

    /// <summary>Which elements are rotated together.</summary>
    public RopeStyle Style => style;

    /// <summary>
    /// Writes a position's rotation, <c>[cos × dims][± sin × dims]</c>, each element's own: it becomes <c>x · cos + partner · (± sin)</c>.
    /// </summary>
    public void Fill(int position, float* rotation)
    {
        (int step, int apart) = style == RopeStyle.Adjacent ? (2, 1) : (1, dims / 2);
        for (int i = 0; i < _frequencies.Length; i++)
        {
            (double sine, double cosine) = Math.SinCos(position * _frequencies[i]);
            (rotation[i * step], rotation[i * step + apart]) = ((float)cosine, (float)cosine);
            (rotation[dims + i * step], rotation[dims + i * step + apart]) = (-(float)sine, (float)sine);
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
unsafe struct Rope<T>(RopeTable table, FloatRows rotations, FloatRows heads, int headDim) : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int row, int thread)
    {
        for (int offset = 0; offset < heads.Width; offset += headDim)
            if (table.Style == RopeStyle.Adjacent)
                RotateNeighbours(heads[row] + offset, rotations[row], table.Dims);
            else
                RotateHalves(heads[row] + offset, rotations[row], table.Dims);
    }

    static void RotateNeighbours(float* x, float* rotation, int dims)
    {
        int i = 0;
        for (; i + ILanes<T>.Count <= dims; i += ILanes<T>.Count)
        {
            T lanes = T.Load(x + i);
            T.Store(lanes * T.Load(rotation + i) + T.SwapNeighbours(lanes) * T.Load(rotation + dims + i), x + i);
        }
        for (; i < dims; i += 2)
            (x[i], x[i + 1]) = (x[i] * rotation[i] + x[i + 1] * rotation[dims + i], x[i + 1] * rotation[i + 1] + x[i] * rotation[dims + i + 1]);
    }

    static void RotateHalves(float* x, float* rotation, int dims)
    {
        int i = 0, half = dims / 2;
        float* y = x + half, turned = rotation + half;
        for (; i + ILanes<T>.Count <= half; i += ILanes<T>.Count)
        {
            T first = T.Load(x + i), second = T.Load(y + i);
            T.Store(first * T.Load(rotation + i) + second * T.Load(rotation + dims + i), x + i);
            T.Store(second * T.Load(turned + i) + first * T.Load(turned + dims + i), y + i);
        }
        for (; i < half; i++)
            (x[i], y[i]) = (x[i] * rotation[i] + y[i] * rotation[dims + i], y[i] * turned[i] + x[i] * turned[dims + i]);
    }
}
