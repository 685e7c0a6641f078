using Kvasir.Formats;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>A weight matrix in panels: <c>Rows</c> outputs by <c>Columns</c> inputs, whole blocks of its type.</summary>
sealed unsafe class PackedMatrix(TensorType type, int rows, int columns)
{
    byte* _panels;

    public TensorType Type => type;
    public int Rows => rows;
    public int Columns => columns;
    public PanelFormat Format { get; } = PanelFormat.Of(type);

    /// <summary>Panels, the last of which may have outputs that mean nothing.</summary>
    public int Panels => (rows + Format.Outputs - 1) / Format.Outputs;

    /// <summary>Bytes of the weights in the file: what a product must read at least.</summary>
    public long FileBytes => rows * type.RowBytes(columns);

    /// <summary>Bytes of a panel.</summary>
    public long PanelBytes { get; } = PanelFormat.Of(type).Bytes(columns);

    /// <summary>Bytes of all panels.</summary>
    public long Bytes => Panels * PanelBytes;

    /// <summary>Whether products multiply bytes with bytes, and activations must be quantised first.</summary>
    public bool IsQuantized => Format is QuantizedPanels;

    /// <summary>
    /// Gives the matrix its memory: <see cref="Bytes"/> bytes, zeroed or packed already, aligned to
    /// <see cref="PanelFormat.Alignment"/>, which belong to somebody else.
    /// </summary>
    public void Place(byte* memory) => _panels = memory;

    public byte* Panel(int panel) => _panels + panel * PanelBytes;

    /// <summary>Packs the rows of one panel, as they stand in the file.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="panel">Zeroed memory of <see cref="PanelBytes"/> bytes.</param>
    public void Pack(ReadOnlySpan<byte> rows, byte* panel) => Format.Pack(rows, (int)Type.RowBytes(Columns), Columns, panel);

    /// <summary>Rows of the file that make a panel.</summary>
    public int RowsOf(int panel) => Math.Min(Format.Outputs, Rows - panel * Format.Outputs);
}
