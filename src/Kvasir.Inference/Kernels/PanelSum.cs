using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The sum of panels that a <see cref="PanelFile"/> keeps, taken by twice as many threads as there are processors: while some wait for the
/// disk, others sum. It reads every panel once, so that they are in memory afterwards.
/// </summary>
static unsafe class PanelSum
{
    const long BytesAtOnce = 4 << 20, ReportedBytes = 256 << 20;

    /// <summary>The sum.</summary>
    /// <param name="matrices">In the order in which their panels lie, without a gap.</param>
    /// <param name="read">Told now and then how many bytes have been read.</param>
    public static ulong Of(PackedMatrix[] matrices, Action<long>? read)
    {
        Stretch[] stretches = [.. Stretches(matrices)];
        using var pool = new ComputePool(Math.Min(2 * Environment.ProcessorCount, Math.Max(1, stretches.Length)));
        ulong[] sums = new ulong[pool.Threads];
        int atOnce = (int)(ReportedBytes / BytesAtOnce);
        for (int first = 0; first < stretches.Length; first += atOnce)
        {
            var job = new SumStretches(stretches, first, sums);
            pool.Run(ref job, Math.Min(atOnce, stretches.Length - first));
            read?.Invoke(stretches[first].Offset);
        }
        return sums.Aggregate(0UL, (sum, part) => unchecked(sum + part));
    }

    static IEnumerable<Stretch> Stretches(PackedMatrix[] matrices)
    {
        long offset = 0;
        foreach (PackedMatrix matrix in matrices)
        {
            int atOnce = (int)Math.Max(1, BytesAtOnce / matrix.PanelBytes);
            for (int first = 0; first < matrix.Panels; first += atOnce)
                yield return new Stretch(matrix, first, Math.Min(first + atOnce, matrix.Panels), offset + first * matrix.PanelBytes);
            offset += matrix.Bytes;
        }
    }

    /// <summary>Some panels of a matrix, the first of which lies so far behind the first of all.</summary>
    readonly record struct Stretch(PackedMatrix Matrix, int First, int End, long Offset);

    readonly struct SumStretches(Stretch[] stretches, int begin, ulong[] sums) : IComputeJob
    {
        public void Run(int item, int thread)
        {
            Stretch stretch = stretches[begin + item];
            long offset = stretch.Offset;
            for (int panel = stretch.First; panel < stretch.End; panel++, offset += stretch.Matrix.PanelBytes)
            {
                var bytes = new ReadOnlySpan<byte>(stretch.Matrix.Panel(panel), checked((int)stretch.Matrix.PanelBytes));
                sums[thread] = unchecked(sums[thread] + PanelFile.SumOf(bytes, offset));
            }
        }
    }
}
