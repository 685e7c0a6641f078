using Kvasir.Formats.Models;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The rotations of a batch's rows: pair <c>i</c> at position <c>p</c> turns by <c>p · base^(-2i / dims) / divisor[i]</c> (<see
/// cref="RopeSpec"/>) and is multiplied with the rope's magnitude. Angles are computed in double, so a position's rotation does not
/// depend on the way to it.
/// </summary>
sealed unsafe class RopeTable : IDisposable
{
    readonly RopeSpec _spec;
    readonly double[] _frequencies;
    readonly double _magnitude;
    readonly FloatRows _rotations;

    /// <param name="spec">What is rotated.</param>
    /// <param name="divisors">What each pair's frequency is divided by, [dims / 2].</param>
    /// <param name="maxTokens">Most rows of a batch.</param>
    public RopeTable(RopeSpec spec, ReadOnlySpan<float> divisors, int maxTokens)
    {
        (_spec, _magnitude) = (spec, spec.Magnitude);
        _frequencies = new double[spec.Dims / 2];
        for (int i = 0; i < _frequencies.Length; i++)
            _frequencies[i] = Math.Pow(spec.Base, -2.0 * i / spec.Dims) / divisors[i];
        _rotations = new FloatRows(maxTokens, 2 * spec.Dims);
    }

    /// <summary>Elements that are rotated; those beyond stay as they are.</summary>
    public int Dims => _spec.Dims;

    /// <summary>Which elements are rotated together.</summary>
    public RopeStyle Style => _spec.Style;

    /// <summary>
    /// A row's rotation, <c>[cos × dims][± sin × dims]</c>, each element's own: it becomes <c>x · cos + partner · (± sin)</c>.
    /// </summary>
    public float* this[int row] => _rotations[row];

    /// <summary>Says at which position a row is.</summary>
    public void Place(int row, int position)
    {
        float* rotation = _rotations[row];
        int dims = Dims;
        (int step, int apart) = Style == RopeStyle.Adjacent ? (2, 1) : (1, dims / 2);
        for (int i = 0; i < _frequencies.Length; i++)
        {
            (double sine, double cosine) = Math.SinCos(position * _frequencies[i]);
            (sine, cosine) = (sine * _magnitude, cosine * _magnitude);
            (rotation[i * step], rotation[i * step + apart]) = ((float)cosine, (float)cosine);
            (rotation[dims + i * step], rotation[dims + i * step + apart]) = (-(float)sine, (float)sine);
        }
    }

    /// <summary>The mean of the rotations of so many positions: what a vector becomes on average.</summary>
    public MeanRotation Mean(int from, int count)
    {
        double[] cosines = new double[_frequencies.Length], sines = new double[_frequencies.Length];
        for (int position = from; position < from + count; position++)
            for (int i = 0; i < _frequencies.Length; i++)
            {
                (double sine, double cosine) = Math.SinCos(position * _frequencies[i]);
                (cosines[i], sines[i]) = (cosines[i] + cosine * _magnitude / count, sines[i] + sine * _magnitude / count);
            }
        return new MeanRotation(Style, cosines, sines);
    }

    public void Dispose() => _rotations.Dispose();
}

/// <summary>A mean of rotations: pair <c>i</c> is turned by none of them, and shortened.</summary>
sealed class MeanRotation(RopeStyle style, double[] cosines, double[] sines)
{
    /// <summary>The vector, turned.</summary>
    public float[] Of(float[] x)
    {
        float[] turned = [.. x];
        for (int i = 0; i < cosines.Length; i++)
        {
            (int a, int b) = style == RopeStyle.Adjacent ? (2 * i, 2 * i + 1) : (i, i + cosines.Length);
            turned[a] = (float)(x[a] * cosines[i] - x[b] * sines[i]);
            turned[b] = (float)(x[b] * cosines[i] + x[a] * sines[i]);
        }
        return turned;
    }
}

/// <summary>Rotates every head of every row by its position.</summary>
unsafe struct Rope<T>(RopeTable table, FloatRows heads, int headDim) : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int row, int thread)
    {
        for (int offset = 0; offset < heads.Width; offset += headDim)
            if (table.Style == RopeStyle.Adjacent)
                RotateNeighbours(heads[row] + offset, table[row], table.Dims);
            else
                RotateHalves(heads[row] + offset, table[row], table.Dims);
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
            (x[i], x[i + 1]) =
                (x[i] * rotation[i] + x[i + 1] * rotation[dims + i], x[i + 1] * rotation[i + 1] + x[i] * rotation[dims + i + 1]);
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
