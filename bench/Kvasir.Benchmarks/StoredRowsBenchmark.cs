using BenchmarkDotNet.Attributes;
using Kvasir.Inference.Kernels;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Benchmarks;

/// <summary>
/// Stored rows widened to floats, sixteen of 128 values at a time, all in the cache; the mean is of 32 values. What the codec itself takes
/// stands beside it.
/// </summary>
public unsafe class StoredRowsBenchmark
{
    const int Rows = 16, Dim = 128, Groups = Rows * Dim / 32;

    readonly byte[] _stored = GC.AllocateArray<byte>(Rows * Dim * sizeof(float), pinned: true);
    readonly float[] _rows = GC.AllocateArray<float>(Rows * Dim, pinned: true);
    IKvCodec _codec = F16Codec.Instance;
    KvRows _from;

    /// <summary>How they are stored.</summary>
    [Params("f16", "bf16", "q8_0", "q5_0", "q4_0", "q3", "q2")]
    public string Type { get; set; } = "";

    /// <summary>Stores rows of random values.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        _codec = KvCodecs.TryParse(Type, out IKvCodec? codec) ? codec : throw new InvalidOperationException(Type);
        _from = new KvRows(Dim, _codec);
        for (int row = 0; row < Rows; row++)
            _codec.Encode([.. Enumerable.Range(0, Dim).Select(_ => random.NextSingle() - 0.5f)],
                _stored.AsSpan(row * _codec.RowBytes(Dim)));
    }

    /// <summary>As attention does with 256 bits.</summary>
    [Benchmark(OperationsPerInvoke = Groups)]
    public void Vector256() => Widen<Lanes256>();

    /// <summary>As attention does with 512 bits.</summary>
    [Benchmark(OperationsPerInvoke = Groups)]
    public void Vector512() => Widen<Lanes512>();

    /// <summary>Row by row, as the codec reads them.</summary>
    [Benchmark(OperationsPerInvoke = Groups, Baseline = true)]
    public void Decode()
    {
        int bytes = _codec.RowBytes(Dim);
        for (int row = 0; row < Rows; row++)
            _codec.Decode(_stored.AsSpan(row * bytes, bytes), _rows.AsSpan(row * Dim, Dim));
    }

    /// <summary>What storing takes.</summary>
    [Benchmark(OperationsPerInvoke = Groups)]
    public void Encode()
    {
        int bytes = _codec.RowBytes(Dim);
        for (int row = 0; row < Rows; row++)
            _codec.Encode(_rows.AsSpan(row * Dim, Dim), _stored.AsSpan(row * bytes, bytes));
    }

    void Widen<T>() where T : struct, ILanes<T>
    {
        fixed (byte* stored = _stored)
        fixed (float* rows = _rows)
            StoredRows<T>.Widen(_from, stored, 0, Rows, rows);
    }
}
