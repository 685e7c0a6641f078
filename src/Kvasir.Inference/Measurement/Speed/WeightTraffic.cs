using System.Diagnostics;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.Inference.Measurement.Limits;

namespace Kvasir.Inference.Measurement.Speed;

/// <summary>
/// Reads a model's weights and computes nothing, between decode steps that read the same memory: on shared machines what memory gives
/// changes within seconds by half and more, so that a step can only be compared with what was possible beside it.
/// </summary>
public sealed unsafe class WeightTraffic
{
    const int PieceBytes = 256 << 10;

    readonly (nint Address, int Bytes)[] _pieces;
    readonly ComputePool _pool;
    readonly ulong[] _sums;
    readonly double _passBytes;
    int _passes;
    double _seconds;

    /// <param name="engine">
    /// Whose weights are read, by the threads that compute there: others would keep those from their cores for a while.
    /// </param>
    /// <exception cref="ArgumentException">The engine does not compute on the processor.</exception>
    public WeightTraffic(InferenceEngine engine)
    {
        ArgumentNullException.ThrowIfNull(engine);
        PackedMatrix[] layers = [.. engine.Model.Weights.Layers.SelectMany(layer => layer.Read).Select(read => read.Matrix)];
        _pieces = [.. layers.Append(engine.Model.Weights.Output).SelectMany(Pieces)];
        _passBytes = _pieces.Sum(piece => (double)piece.Bytes);
        _pool = engine.Threads ?? throw new ArgumentException("expected an engine that computes on the processor", nameof(engine));
        _sums = new ulong[_pool.Threads];
    }

    /// <summary>Bytes read per second over all passes since <see cref="Restart"/>, one at least.</summary>
    public double BytesPerS => _passes * _passBytes / _seconds;

    /// <summary>Forgets the passes so far.</summary>
    public void Restart() => (_passes, _seconds) = (0, 0);

    /// <summary>Reads all weights once.</summary>
    /// <returns>The seconds that it took.</returns>
    public double Read()
    {
        var job = new ReadJob(_pieces, _sums);
        long start = Stopwatch.GetTimestamp();
        _pool.Run(ref job, _pieces.Length);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        (_passes, _seconds) = (_passes + 1, _seconds + seconds);
        return seconds;
    }

    static IEnumerable<(nint Address, int Bytes)> Pieces(PackedMatrix matrix)
    {
        long bytes = matrix.Bytes / MemoryTraffic.StepBytes * MemoryTraffic.StepBytes; // what is left over is not worth its own loop
        for (long at = 0; at < bytes; at += PieceBytes)
            yield return (matrix.Address + (nint)at, (int)Math.Min(PieceBytes, bytes - at));
    }

    readonly struct ReadJob((nint Address, int Bytes)[] pieces, ulong[] sums) : IComputeJob
    {
        // kept, or the loop would go
        public void Run(int item, int thread) => sums[thread] ^= MemoryTraffic.Fold((ulong*)pieces[item].Address, pieces[item].Bytes);
    }
}
