namespace Kvasir.Inference.Kernels;

/// <summary>
/// Sixteen float lanes, the unit in which every kernel computes. Kernels are written once, generic over this; a struct per instruction set
/// says how the machine does it. Each operation is one IEEE 754 operation per lane, so all sets give the same bits, and keys and values
/// computed on one machine are those of another.
/// </summary>
/// <typeparam name="T">The instruction set.</typeparam>
unsafe interface ILanes<T> where T : struct, ILanes<T>
{
    /// <summary>Number of lanes.</summary>
    const int Count = 16;

    /// <summary>
    /// How many of these the machine's registers hold: how much a kernel may keep in them, which is no matter of results.
    /// </summary>
    static abstract int Registers { get; }

    static abstract T Broadcast(float value);
    static abstract T Load(float* source);

    /// <summary>Sixteen half-precision numbers, widened. The conversion is exact.</summary>
    static abstract T LoadHalf(ushort* source);

    /// <summary>Sixteen bfloat16 numbers, widened. The conversion is exact.</summary>
    static abstract T LoadBrainHalf(ushort* source);

    /// <summary>Sixteen signed bytes.</summary>
    static abstract T LoadSignedBytes(sbyte* source);

    /// <summary>Sixteen bytes as numbers from 0 to 15: their low four bits, and their high four.</summary>
    static abstract void LoadNibbles(byte* source, out T low, out T high);

    static abstract void Store(T lanes, float* destination);

    /// <summary>Stores integral numbers from -128 to 127 as signed bytes.</summary>
    static abstract void StoreBytes(T lanes, sbyte* destination);

    /// <summary>
    /// Writes rows as columns: sixteen rows of sixteen 32-bit words of any kind, <paramref name="sourceStride"/> words apart.
    /// </summary>
    static abstract void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride);

    /// <summary>
    /// Writes rows as columns and widens them: sixteen rows of thirty-two half-precision numbers, which are transposed in pairs.
    /// </summary>
    static abstract void TransposeHalves(ushort* source, nint sourceStride, float* destination, nint destinationStride);

    static abstract T operator +(T a, T b);
    static abstract T operator -(T a, T b);
    static abstract T operator *(T a, T b);
    static abstract T operator /(T a, T b);

    /// <summary><c>a > b ? a : b</c>, so <paramref name="b"/> where one is not a number.</summary>
    static abstract T Max(T a, T b);

    /// <summary><c>a &lt; b ? a : b</c>, so <paramref name="b"/> where one is not a number.</summary>
    static abstract T Min(T a, T b);

    /// <summary><c>a >= b ? 1 : 0</c>.</summary>
    static abstract T AtLeast(T a, T b);

    /// <summary><c>a * b + c</c>, rounded once.</summary>
    static abstract T MultiplyAdd(T a, T b, T c);

    /// <summary><c>a * 2^n</c> for integral <c>n</c> in [-126, 127].</summary>
    static abstract T ScaleByPowerOf2(T a, T n);

    /// <summary>Lanes 1, 0, 3, 2, 5, 4 …</summary>
    static abstract T SwapNeighbours(T lanes);

    /// <summary>Sum of the lanes, in the order ((0+8)+(4+12)) + …: halves onto halves until one is left.</summary>
    static abstract float Sum(T lanes);

    /// <summary>The largest lane.</summary>
    static abstract float Largest(T lanes);

    // Sums of integers, in lanes that hold the bits of an int instead of a float. They are exact, so their order is free.

    /// <summary>Sixteen equal integers.</summary>
    static abstract T BroadcastInteger(int value);

    /// <summary>
    /// What dot products with some activations start from: the offset that takes back what their weights' bytes have too much, or nothing
    /// where <see cref="LoadBytePairs"/> takes it away.
    /// </summary>
    static abstract T StartDotProducts(int offset);

    /// <summary>Sixteen times four weights, bytes that have 128 too much, as <see cref="AddDotProducts"/> wants them.</summary>
    static abstract void LoadBytePairs(byte* source, out T even, out T odd);

    /// <summary>
    /// Adds to integer lane <c>i</c> the dot product of weights <c>4i..4i+3</c> with the four signed bytes of <paramref name="x"/>.
    /// </summary>
    static abstract T AddDotProducts(T sums, T even, T odd, int x);

    /// <summary>
    /// Adds to the two 16-bit integers of each lane the products of two numbers each: the low two bits of the lane's bytes, with its four
    /// signed bytes of <paramref name="x"/>.
    /// </summary>
    static abstract T AddCellProducts(T sums, T cells, T x);

    /// <summary>Sets bits of each lane, from one on, to those of an integral number.</summary>
    static abstract T AddBits(T bits, T numbers, int shift);

    /// <summary>The bits of each lane, two further down.</summary>
    static abstract T NextCells(T cells);

    /// <summary>The sum of the two 16-bit integers of each lane.</summary>
    static abstract T AddHalves(T sums);

    /// <summary>Integers as numbers, rounded to nearest even.</summary>
    static abstract T ConvertToSingle(T integers);
}
