using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Kvasir.KvCache.Codecs;

/// <summary>
/// The Walsh-Hadamard transform, normalised: a rotation that is its own inverse and leaves products of two rows as they are. It spreads a
/// value that is far above the others over all of them, so that one scale fits a group. A row is turned in blocks, each as long as the
/// largest power of two that divides the row: 128 is one block, 96 are three of 32, 80 five of 16.
/// </summary>
public static class Hadamard
{
    const int Eight = 8;

    /// <summary>Values that are mixed with each other in a row of <paramref name="elements"/>.</summary>
    public static int Block(int elements) => elements & -elements;

    /// <summary>
    /// Turns a row in place. Bits are the same on every machine: stages in order of their distance, each value one addition or subtraction,
    /// then one multiplication.
    /// </summary>
    /// <exception cref="ArgumentException">The row is odd, so that nothing of it could be mixed.</exception>
    public static void Transform(Span<float> row)
    {
        Check(row.Length, "a rotation");
        int block = Block(row.Length);
        float scale = (float)(1 / Math.Sqrt(block));
        for (; !row.IsEmpty; row = row[block..])
            TransformBlock(row[..block], scale);
    }

    /// <summary>Refuses rows that have no two values to mix.</summary>
    internal static void Check(int elements, string what)
    {
        if (int.IsOddInteger(elements))
            throw new ArgumentException($"{what} mixes values in pairs at least; a row of {elements} is odd, expected an even one");
    }

    static void TransformBlock(Span<float> block, float scale)
    {
        ref float first = ref MemoryMarshal.GetReference(block);
        int distance = 1;
        if (block.Length >= Eight)
            for (int i = 0; i < block.Length; i += Eight)
                WithinEight(Vector256.LoadUnsafe(ref first, (nuint)i)).StoreUnsafe(ref first, (nuint)i);
        else
            for (; distance < block.Length; distance *= 2)
                Stage(block, distance);
        for (distance = Math.Max(distance, Eight); distance < block.Length; distance *= 2)
            StageOfVectors(ref first, block.Length, distance);
        foreach (ref float value in block)
            value *= scale;
    }

    static void Stage(Span<float> block, int distance)
    {
        for (int i = 0; i < block.Length; i++)
            if ((i & distance) == 0)
                (block[i], block[i + distance]) = (block[i] + block[i + distance], block[i] - block[i + distance]);
    }

    static void StageOfVectors(ref float block, int length, int distance)
    {
        for (int pairs = 0; pairs < length; pairs += 2 * distance)
            for (int i = pairs; i < pairs + distance; i += Eight)
            {
                Vector256<float> a = Vector256.LoadUnsafe(ref block, (nuint)i), b = Vector256.LoadUnsafe(ref block, (nuint)(i + distance));
                (a + b).StoreUnsafe(ref block, (nuint)i);
                (a - b).StoreUnsafe(ref block, (nuint)(i + distance));
            }
    }

    /// <summary>The stages of distance 1, 2 and 4. The second of a pair is negated, which is exact, so that both are sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> WithinEight(Vector256<float> v)
    {
        v = Vector256.Shuffle(v, Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6)) + (v ^ Vector256.Create(0f, -0f, 0f, -0f, 0f, -0f, 0f, -0f));
        v = Vector256.Shuffle(v, Vector256.Create(2, 3, 0, 1, 6, 7, 4, 5)) + (v ^ Vector256.Create(0f, 0f, -0f, -0f, 0f, 0f, -0f, -0f));
        return Vector256.Shuffle(v, Vector256.Create(4, 5, 6, 7, 0, 1, 2, 3)) + (v ^ Vector256.Create(0f, 0f, 0f, 0f, -0f, -0f, -0f, -0f));
    }
}
