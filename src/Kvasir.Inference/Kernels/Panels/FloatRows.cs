using System.Runtime.InteropServices;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// A matrix of activations in native memory, one token a row. Rows are padded with zeros to whole panels of outputs, and so
/// to whole <see cref="ILanes{T}"/>, and aligned: kernels need no tails.
/// </summary>
sealed unsafe class FloatRows : SafeHandle
{
    const int WidestPanel = Panels.FloatPanels.PanelOutputs;

    public FloatRows(int rows, int width) : base(0, ownsHandle: true)
    {
        (Rows, Width, Stride) = (rows, width, checked(width + WidestPanel - 1) & -WidestPanel);
        nuint bytes = checked((nuint)rows * (nuint)Stride * sizeof(float));
        SetHandle((nint)NativeMemory.AlignedAlloc(bytes, 64));
        NativeMemory.Clear((void*)handle, bytes);
    }

    FloatRows(FloatRows memory, int width) : base(memory.handle, ownsHandle: false) =>
        (Rows, Width, Stride) = (memory.Rows, width, checked(width + WidestPanel - 1) & -WidestPanel);

    public int Rows { get; }

    /// <summary>Elements of a row that mean something.</summary>
    public int Width { get; }

    /// <summary>Elements from one row to the next.</summary>
    public int Stride { get; }

    public override bool IsInvalid => handle == 0;

    public float* this[int row] => (float*)handle + (long)row * Stride;

    /// <summary>
    /// The same memory as rows of at most this width, so that layers of different shapes can take turns with it. What another width has
    /// left is between the rows, too: nobody may read beyond a row's width.
    /// </summary>
    public FloatRows OfWidth(int width)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(width, Width);
        return new FloatRows(this, width);
    }

    public Span<float> Span(int row) => new(this[row], Width);

    /// <summary>The next multiple of sixteen.</summary>
    public static int PadToLanes(int width) => checked(width + 15) & ~15;

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }
}
