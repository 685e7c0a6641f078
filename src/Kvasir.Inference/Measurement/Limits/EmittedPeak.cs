using Kvasir.Inference.Kernels;
using static Kvasir.Inference.Kernels.Operand;
using static Kvasir.Inference.Kernels.Register;

namespace Kvasir.Inference.Measurement.Limits;

/// <summary>
/// The loops of what .NET has no intrinsics for: products of bytes in the 512-bit registers of AVX-512 VNNI, as <see cref="EmittedDot"/>
/// makes them, and in the tiles of AMX, as <see cref="TileDot"/> does, but full ones.
/// </summary>
static unsafe class EmittedPeak
{
    const int Chains = 24, BytesPerVector = 64;
    const int TileChains = 4, TileRows = 16, TileBytes = 64; // of sums; two of either factor fill the eight

    static readonly Lazy<nint> s_routine = new(() => new ExecutableMemory(Assemble()).Address);

    public static PeakLoop Int8 { get; } =
        new("AVX-512 VNNI", 2L * Chains * BytesPerVector, rounds => ((delegate* unmanaged<long, void>)s_routine.Value)(rounds));

    static readonly Lazy<nint> s_tiles = new(() => new ExecutableMemory(AssembleTiles()).Address);

    public static PeakLoop Tiles { get; } = new("AMX int8", 2L * TileChains * TileRows * TileRows * TileBytes, rounds =>
    {
        TileShapes shapes = FullTiles();
        ((delegate* unmanaged<long, TileShapes*, void>)s_tiles.Value)(rounds, &shapes);
    });

    internal static TileShapes FullTiles()
    {
        TileShapes shapes = default;
        for (int tile = 0; tile < 2 * TileChains; tile++)
            shapes.Set(tile, TileRows, TileBytes);
        return shapes;
    }

    internal static byte[] AssembleTiles()
    {
        Avx512Assembler code = new();
        code.Ldtilecfg(At(Rsi)); // empties all tiles
        int next = code.Position;
        for (int i = 0; i < TileChains; i++)
            code.Tdpbssd(i, TileChains + i % 2, TileChains + 2 + i / 2);
        code.Dec(Rdi);
        code.Jne(next);
        code.Tilerelease();
        code.Ret();
        return code.ToArray();
    }

    static byte[] Assemble()
    {
        Avx512Assembler code = new();
        for (int i = 0; i < 32; i++)
            code.Vpxord(Zmm(i), Zmm(i), Zmm(i));
        int next = code.Position;
        for (int i = 0; i < Chains; i++)
            code.Vpdpbusd(Zmm(i), Zmm(30), Zmm(31));
        code.Dec(Rdi);
        code.Jne(next);
        code.Vzeroupper();
        code.Ret();
        return code.ToArray();
    }
}
