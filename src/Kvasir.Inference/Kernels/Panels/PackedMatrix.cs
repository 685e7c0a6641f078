using Kvasir.Formats;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// A weight matrix in panels: <c>Rows</c> outputs by <c>Columns</c> inputs, whole blocks of its type. It may be a stack of equal matrices,
/// one for each expert: panels begin anew in each of them.
/// </summary>
sealed unsafe class PackedMatrix
{
    readonly PackedMatrix[] _experts = [];
    byte* _panels;

    /// <param name="type">How weights are stored.</param>
    /// <param name="rows">Outputs, those of all experts together.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="experts">How many matrices it is a stack of; 1 for a matrix of its own.</param>
    public PackedMatrix(TensorType type, int rows, int columns, int experts = 1)
    {
        (Type, Rows, Columns, Experts, Format) = (type, rows, columns, experts, PanelFormat.Of(type));
        PanelBytes = Format.Bytes(columns);
        if (experts > 1)
            _experts = [.. Enumerable.Range(0, experts).Select(_ => new PackedMatrix(type, RowsOfExpert, columns))];
    }

    public TensorType Type { get; }
    public int Rows { get; }
    public int Columns { get; }
    public int Experts { get; }
    public PanelFormat Format { get; }

    int RowsOfExpert => Rows / Experts;

    int PanelsOfExpert => (RowsOfExpert + Format.Outputs - 1) / Format.Outputs;

    /// <summary>Panels; the last one, of each expert, may have outputs that mean nothing.</summary>
    public int Panels => Experts * PanelsOfExpert;

    /// <summary>Bytes of the weights in the file: what a product must read at least.</summary>
    public long FileBytes => Rows * Type.RowBytes(Columns);

    /// <summary>Bytes of a panel.</summary>
    public long PanelBytes { get; }

    /// <summary>Bytes of all panels.</summary>
    public long Bytes => Panels * PanelBytes;

    /// <summary>Whether products multiply bytes with bytes, and activations must be quantised first.</summary>
    public bool IsQuantized => Format is QuantizedPanels;

    /// <summary>
    /// Gives the matrix its memory: <see cref="Bytes"/> bytes, zeroed or packed already, aligned to
    /// <see cref="PanelFormat.Alignment"/>, which belong to somebody else.
    /// </summary>
    public void Place(byte* memory)
    {
        _panels = memory;
        for (int expert = 0; expert < _experts.Length; expert++)
            _experts[expert].Place(Panel(expert * PanelsOfExpert));
    }

    /// <summary>Where its panels begin.</summary>
    public nint Address => (nint)_panels;

    public byte* Panel(int panel) => _panels + panel * PanelBytes;

    /// <summary>One expert's matrix, in the same memory.</summary>
    public PackedMatrix Expert(int expert) => Experts == 1 ? this : _experts[expert];

    /// <summary>Packs the rows of one panel, as they stand in the file.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="panel">Zeroed memory of <see cref="PanelBytes"/> bytes.</param>
    public void Pack(ReadOnlySpan<byte> rows, byte* panel) => Format.Pack(rows, (int)Type.RowBytes(Columns), Columns, panel);

    /// <summary>The first row of the file of those that make a panel.</summary>
    public int FirstRowOf(int panel) => panel / PanelsOfExpert * RowsOfExpert + panel % PanelsOfExpert * Format.Outputs;

    /// <summary>Rows of the file that make a panel.</summary>
    public int RowsOf(int panel) => Math.Min(Format.Outputs, RowsOfExpert - panel % PanelsOfExpert * Format.Outputs);

    /// <summary>The first panel that begins with a row of the file, or behind it.</summary>
    public int PanelFrom(long row) =>
        (int)(row / RowsOfExpert * PanelsOfExpert + (row % RowsOfExpert + Format.Outputs - 1) / Format.Outputs);
}
