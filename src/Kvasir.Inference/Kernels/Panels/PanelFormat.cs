using Kvasir.Formats;
using Kvasir.Formats.Quantization;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// How weights lie in memory once they are loaded: in panels of consecutive outputs, each a run of memory in which the inputs follow one
/// another and for every input, or every four, the weights of all the panel's outputs stand side by side. Lanes are outputs: a product
/// reads one ascending stream, and no sum is ever folded across lanes.
/// </summary>
abstract unsafe class PanelFormat
{
    /// <summary>Alignment of a panel in bytes.</summary>
    public const int Alignment = 64;

    /// <summary>Outputs of a panel. The last panel of a matrix is filled up with zeros.</summary>
    public abstract int Outputs { get; }

    /// <summary>Bytes of a panel, a multiple of <see cref="Alignment"/>.</summary>
    public abstract long Bytes(int columns);

    /// <summary>Packs up to <see cref="Outputs"/> rows of the model file's format.</summary>
    /// <param name="rows">The rows, one after the other.</param>
    /// <param name="rowBytes">Bytes of one.</param>
    /// <param name="columns">Inputs of one.</param>
    /// <param name="panel">Zeroed memory of <see cref="Bytes"/> bytes.</param>
    public abstract void Pack(ReadOnlySpan<byte> rows, int rowBytes, int columns, byte* panel);

    /// <summary>The format for weights of a type.</summary>
    public static PanelFormat Of(TensorType type) => type switch
    {
        TensorType.F32 or TensorType.F16 or TensorType.BF16 => FloatPanels.Of(type),
        _ => QuantizedPanels.Of(type),
    };

    /// <summary>The next multiple of <see cref="Alignment"/>.</summary>
    protected static long Align(long bytes) => bytes + Alignment - 1 & -Alignment;
}
