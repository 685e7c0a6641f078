namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// A thread's memory for a stretch of one panel that is ready for the product, small enough to stay in the nearest cache.
/// </summary>
sealed unsafe class PanelScratch : IDisposable
{
    /// <summary>Groups of a stretch: 1,024 inputs, a multiple of every type's block.</summary>
    public const int Groups = 32;

    const int FloatsPerGroup = QuantizedPanels.UnpackedBytes / sizeof(float);
    const int ScalesPerGroup = 2 * QuantizedPanels.PanelOutputs;

    /// <summary>Twice what tiles of AMX hold of one panel, apart by a power of two.</summary>
    public const int TileBytes = 2048;

    readonly FloatRows _memory = new(1, Groups * (FloatsPerGroup + 2 * ScalesPerGroup) + 2 * TileBytes / sizeof(float));

    /// <summary>Bytes <c>[group][8 quads][32 outputs][4 inputs]</c>.</summary>
    public byte* Quants => (byte*)_memory[0];

    /// <summary>Floats <c>[group][1 or 2][32 outputs]</c>.</summary>
    public float* Scales => _memory[0] + Groups * FloatsPerGroup;

    /// <summary>Likewise.</summary>
    public float* Minimums => Scales + Groups * ScalesPerGroup;

    /// <summary>Integer sums that come from tiles, and those before them, <see cref="TileBytes"/> each.</summary>
    public byte* Tiles => (byte*)(Minimums + Groups * ScalesPerGroup);

    public void Dispose() => _memory.Dispose();
}
