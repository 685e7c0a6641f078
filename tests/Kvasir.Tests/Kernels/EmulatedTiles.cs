namespace Kvasir.Tests.Kernels;

/// <summary>The tiles of an <see cref="EmulatedProcessor"/>: eight of at most sixteen rows of 64 bytes.</summary>
sealed unsafe class EmulatedTiles(MemoryAt memory)
{
    const int Tiles = 8, MostRows = 16, RowBytes = 64;
    const int F3 = 2, F2 = 3;

    readonly byte[,,] _bytes = new byte[Tiles, MostRows, RowBytes];
    readonly (int Rows, int Bytes)[] _shapes = new (int, int)[Tiles];

    public bool AreReleased => _shapes.All(shape => shape == default);

    public bool Run(byte opcode, int prefix, Place place, int second)
    {
        switch (opcode, prefix)
        {
            case (0x49, 0) when place.IsMemory: Configure(memory(place.Address, 64)); return true;
            case (0x49, 0): Array.Clear(_shapes); return true;
            case (0x49, F2): Clear(Shaped(place.First)); return true;
            case (0x4B, F2): Load(Shaped(place.First), place); return true;
            case (0x4B, F3): Store(Shaped(place.First), place); return true;
            case (0x5E, F2): Multiply(Shaped(place.First), Shaped(place.Register), Shaped(second)); return true;
            default: return false;
        }
    }

    int Shaped(int tile) => _shapes[tile].Rows > 0 ? tile : throw new InvalidOperationException($"tile {tile} has no shape");

    void Configure(byte* shapes)
    {
        Assert.Equal((1, 0), (shapes[0], shapes[1])); // the palette; the first row
        Assert.All(new Span<byte>(shapes + 2, 14).ToArray(), reserved => Assert.Equal(0, reserved));
        for (int i = 0; i < 16; i++)
        {
            (int rows, int bytes) = (shapes[48 + i], ((ushort*)(shapes + 16))[i]);
            Assert.True(i < Tiles || (rows, bytes) == default, "there are eight tiles");
            Assert.InRange(rows, 0, MostRows);
            Assert.InRange(bytes, 0, RowBytes);
            Assert.Equal(rows == 0, bytes == 0);
            if (i < Tiles)
                _shapes[i] = (rows, bytes);
        }
        Array.Clear(_bytes);
    }

    void Clear(int tile)
    {
        for (int row = 0; row < MostRows; row++)
            for (int i = 0; i < RowBytes; i++)
                _bytes[tile, row, i] = 0;
    }

    void Load(int tile, Place place)
    {
        (int rows, int bytes) = _shapes[tile];
        Clear(tile);
        for (int row = 0; row < rows; row++)
        {
            byte* from = memory(place.Address + row * place.Stride, bytes);
            for (int i = 0; i < bytes; i++)
                _bytes[tile, row, i] = from[i];
        }
    }

    void Store(int tile, Place place)
    {
        (int rows, int bytes) = _shapes[tile];
        for (int row = 0; row < rows; row++)
        {
            byte* to = memory(place.Address + row * place.Stride, bytes);
            for (int i = 0; i < bytes; i++)
                to[i] = _bytes[tile, row, i];
        }
    }

    /// <summary><c>tdpbssd</c>: what the shapes must have in common is checked, as the processor does.</summary>
    void Multiply(int sum, int a, int b)
    {
        Assert.Equal(_shapes[sum].Rows, _shapes[a].Rows);
        Assert.Equal(_shapes[sum].Bytes, _shapes[b].Bytes);
        Assert.Equal(_shapes[a].Bytes, _shapes[b].Rows * 4);
        Assert.Equal(3, ((int[])[sum, a, b]).Distinct().Count());
        for (int m = 0; m < _shapes[sum].Rows; m++)
            for (int n = 0; n < _shapes[sum].Bytes; n += 4)
            {
                int total = Int(sum, m, n);
                for (int k = 0; k < _shapes[b].Rows; k++)
                    for (int i = 0; i < 4; i++)
                        total += (sbyte)_bytes[a, m, 4 * k + i] * (sbyte)_bytes[b, k, n + i];
                for (int i = 0; i < 4; i++)
                    _bytes[sum, m, n + i] = (byte)(total >> 8 * i);
            }
    }

    int Int(int tile, int row, int at) => _bytes[tile, row, at] | _bytes[tile, row, at + 1] << 8
        | _bytes[tile, row, at + 2] << 16 | _bytes[tile, row, at + 3] << 24;
}
