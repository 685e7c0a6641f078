using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.Inference.Synthesis;

namespace Kvasir.Tests.Fixtures;

/// <summary>A random weight matrix of any type, as rows of a file and packed.</summary>
sealed unsafe class Weights : IDisposable
{
    readonly byte[] _rows;
    readonly int _rowBytes;
    readonly WeightMemory _memory;

    public Weights(TensorType type, int outputs, int inputs, int seed)
    {
        (Outputs, Inputs, Seed, _rowBytes) = (outputs, inputs, seed, (int)type.RowBytes(inputs));
        _rows = new byte[outputs * _rowBytes];
        for (int row = 0; row < outputs; row++)
            RandomWeights.Fill(type, inputs, (ulong)(seed * 1000 + row), _rows.AsSpan(row * _rowBytes, _rowBytes));
        Matrix = new PackedMatrix(type, outputs, inputs);
        _memory = new WeightMemory(Matrix.Bytes);
        Matrix.Place(_memory.Start);
        for (int panel = 0; panel < Matrix.Panels; panel++)
            Matrix.Pack(_rows.AsSpan(panel * Matrix.Format.Outputs * _rowBytes, Matrix.RowsOf(panel) * _rowBytes), Matrix.Panel(panel));
    }

    public int Outputs { get; }
    public int Inputs { get; }
    public int Seed { get; }
    public PackedMatrix Matrix { get; }

    /// <summary>A row as floats, as its format defines them.</summary>
    public float[] Row(int row)
    {
        float[] values = new float[Inputs];
        RowFormat.Dequantize(Matrix.Type, _rows.AsSpan(row * _rowBytes, _rowBytes), values);
        return values;
    }

    public void Dispose() => _memory.Dispose();
}
