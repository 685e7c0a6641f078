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

    public int Rows { get; }

    /// <summary>Elements of a row that mean something.</summary>
    public int Width { get; }

    /// <summary>Elements from one row to the next.</summary>
    public int Stride { get; }

    public override bool IsInvalid => handle == 0;

    public float* this[int row] => (float*)handle + (long)row * Stride;

    public Span<float> Span(int row) => new(this[row], Width);

    /// <summary>The next multiple of sixteen.</summary>
    public static int PadToLanes(int width) => checked(width + 15) & ~15;

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }
}
