using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Kvasir.Formats;

namespace Kvasir.Vulkan.Passes;

/// <summary>
/// How a row of weights lies in a device's memory: in words of 32 bits, which every device can read. Of types whose blocks are not whole
/// words, scales lie apart, two in a word, behind the words of all rows. What the kernel makes of it is in <c>product.comp</c>.
/// </summary>
/// <param name="Type">The type.</param>
/// <param name="UnitColumns">Weights that a lane takes at a time.</param>
/// <param name="BlockColumns">Weights of a block.</param>
/// <param name="BlockBytes">Bytes of a block in the file.</param>
/// <param name="BlockWords">Words of a block in the device's memory, without a scale that lies apart.</param>
/// <param name="ScaleBytes">Bytes of a scale at a block's start that lies apart; 0 for none.</param>
sealed record WeightWords(TensorType Type, int UnitColumns, int BlockColumns, int BlockBytes, int BlockWords, int ScaleBytes = 0)
{
    /// <summary>All types that there are kernels for.</summary>
    public static WeightWords[] All { get; } =
    [
        new(TensorType.F32, 1, 1, 4, 1),
        new(TensorType.F16, 2, 2, 4, 1), // a row of an odd length ends with half a word
        new(TensorType.BF16, 2, 2, 4, 1),
        new(TensorType.Q8_0, 4, 32, 34, 8, ScaleBytes: 2),
        new(TensorType.Q4_0, 8, 32, 18, 4, ScaleBytes: 2),
        new(TensorType.Q4_K, 8, 256, 144, 36),
        new(TensorType.Q6_K, 16, 256, 210, 53), // filled up with two bytes
    ];

    /// <summary>How weights of a type lie; null for a type without a kernel.</summary>
    public static WeightWords? Of(TensorType type) => Array.Find(All, words => words.Type == type);

    /// <summary>Words of a row.</summary>
    public int WordsPerRow(int columns) => (columns + BlockColumns - 1) / BlockColumns * BlockWords;

    /// <summary>Words of a row's scales that lie apart.</summary>
    public int ScalesPerRow(int columns) => ScaleBytes == 0 ? 0 : (columns / BlockColumns + 1) / 2;

    /// <summary>Packs a row.</summary>
    /// <param name="row">As it is stored.</param>
    /// <param name="words">Receives <see cref="WordsPerRow"/> words.</param>
    /// <param name="scales">Receives <see cref="ScalesPerRow"/> words.</param>
    public void Pack(ReadOnlySpan<byte> row, Span<uint> words, Span<uint> scales)
    {
        scales.Clear();
        for (int block = 0; block * BlockBytes < row.Length; block++)
        {
            ReadOnlySpan<byte> stored = row[(block * BlockBytes)..Math.Min(row.Length, (block + 1) * BlockBytes)];
            if (ScaleBytes > 0)
                scales[block / 2] |= (uint)BinaryPrimitives.ReadUInt16LittleEndian(stored) << 16 * (block % 2);
            Span<byte> packed = MemoryMarshal.AsBytes(words.Slice(block * BlockWords, BlockWords));
            stored[ScaleBytes..].CopyTo(packed);
            packed[(stored.Length - ScaleBytes)..].Clear();
        }
    }
}
