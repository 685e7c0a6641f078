using System.Runtime.InteropServices;

namespace Kvasir.TrainSaga;

/// <summary>The shape of a model as the trainer writes it: see <c>Shape</c> in trainer/model.h.</summary>
/// <param name="Window">Keys that a windowed layer sees; 0 where all layers see all.</param>
/// <param name="FullEvery">With a window: each so-manieth layer sees all.</param>
/// <param name="Shared">So many neighbouring layers read the keys and values of the first of them.</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct Shape(
    int Vocabulary, int Width, int Layers, int Heads, int KvHeads, int HeadDim, int FeedForward, int Window,
    int FullEvery, int Shared, float RopeBase)
{
    public int PaddedVocabulary => (Vocabulary + 15) / 16 * 16;

    public bool IsWindowed(int layer) => Window > 0 && (layer + 1) % FullEvery != 0;

    public int Producer(int layer) => layer / Shared * Shared;
}

/// <summary>Reads a checkpoint: the shape, the step, then value and two moments of every tensor in the order of the model.</summary>
sealed class Checkpoint : IDisposable
{
    static ReadOnlySpan<byte> Mark => "saga\0\0\0\u0001"u8;

    readonly FileStream _file;

    public Checkpoint(string path)
    {
        _file = File.OpenRead(path);
        Span<byte> mark = stackalloc byte[Mark.Length];
        _file.ReadExactly(mark);
        if (!Mark.SequenceEqual(mark))
            throw new InvalidDataException($"{path}: not a checkpoint of the trainer");
        Shape = Read<Shape>();
        Step = Read<long>();
    }

    public Shape Shape { get; }

    public long Step { get; }

    /// <summary>The next tensor's values, [rows][columns].</summary>
    public float[] Next(int rows, int columns)
    {
        float[] values = new float[rows * columns];
        _file.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
        _file.Seek(2L * values.Length * sizeof(float), SeekOrigin.Current);
        return values;
    }

    public void Dispose() => _file.Dispose();

    T Read<T>() where T : unmanaged
    {
        Span<byte> bytes = stackalloc byte[Marshal.SizeOf<T>()];
        _file.ReadExactly(bytes);
        return MemoryMarshal.Read<T>(bytes);
    }
}
