namespace Kvasir.Inference.Kernels;

/// <summary>The shapes of the eight tiles, as <c>ldtilecfg</c> reads them.</summary>
unsafe struct TileShapes
{
    public const int Bytes = 64;
    const int Palette = 0, BytesPerRow = 16, Rows = 48; // where they stand

    fixed byte _bytes[Bytes];

    /// <summary>Gives a tile its shape; those without one cannot be used.</summary>
    public void Set(int tile, int rows, int bytesPerRow)
    {
        _bytes[Palette] = 1;
        _bytes[BytesPerRow + 2 * tile] = (byte)bytesPerRow;
        _bytes[Rows + tile] = (byte)rows;
    }
}

/// <summary>What a <see cref="TileRoutine"/> works on; it finds the fields by their places, and leaves them changed.</summary>
unsafe struct TileOperands
{
    public TileShapes Shapes;
    public byte* Quants; // [groups][8 quads][32 outputs][4], signed
    public float* Scales; // [groups][1 or 2][32 outputs]
    public float* Minimums; // likewise
    public byte* X; // groups of the first tile of activations
    public nint XStride; // bytes to the next tile's
    public float* Y; // [tokens][32 outputs]: sums that are added to
    public nint YStride; // bytes from one token to the next
    public byte* Sums; // see PanelScratch.Tiles
    public nint Groups; // at least 1
    public nint Tiles; // likewise

    public const int ShapesAt = 0, QuantsAt = TileShapes.Bytes, ScalesAt = QuantsAt + 8, MinimumsAt = ScalesAt + 8, XAt = MinimumsAt + 8,
        XStrideAt = XAt + 8, YAt = XStrideAt + 8, YStrideAt = YAt + 8, SumsAt = YStrideAt + 8, GroupsAt = SumsAt + 8,
        TilesAt = GroupsAt + 8;
}
