namespace Kvasir.Tests.Kernels;

/// <summary>The vectors of an <see cref="EmulatedProcessor"/>.</summary>
readonly unsafe ref struct EmulatedVectors(int[][] zmm, MemoryAt memory, Func<byte> next)
{
    // Map, prefix and opcode.
    public const int BroadcastFloat = 2 << 16 | 1 << 8 | 0x18, BroadcastInteger = 2 << 16 | 1 << 8 | 0x58;

    const int Load = 1 << 16 | 0x10, Store = 1 << 16 | 0x11, Convert = 1 << 16 | 0x5B, Multiply = 1 << 16 | 0x59,
        MultiplyAdd = 2 << 16 | 1 << 8 | 0xB8, Subtract = 1 << 16 | 1 << 8 | 0xFA, ExclusiveOr = 1 << 16 | 1 << 8 | 0xEF,
        ShiftRight = 1 << 16 | 1 << 8 | 0x72;

    public void Run(int operation, Place third, int second, bool isBroadcast)
    {
        if (operation == Store)
        {
            zmm[third.First].CopyTo(new Span<int>(memory(third.Address, 64), 16));
            return;
        }
        int[] c = Value(third, isBroadcast || operation is BroadcastFloat or BroadcastInteger), b = zmm[second], to = zmm[third.First];
        if (operation == ShiftRight)
        {
            Assert.Equal(4, third.First & 7);
            (to, second) = (zmm[second], next());
        }
        for (int i = 0; i < to.Length; i++)
            to[i] = operation switch
            {
                Load or BroadcastFloat or BroadcastInteger => c[i],
                Convert => Bits(c[i]),
                Multiply => Bits(Float(b[i]) * Float(c[i])),
                MultiplyAdd => Bits(MathF.FusedMultiplyAdd(Float(b[i]), Float(c[i]), Float(to[i]))),
                Subtract => b[i] - c[i],
                ExclusiveOr => b[i] ^ c[i],
                ShiftRight => c[i] >> second,
                _ => throw new InvalidOperationException($"no vector instruction that is known: {operation:x}"),
            };
    }

    int[] Value(Place place, bool isBroadcast)
    {
        if (!place.IsMemory)
            return zmm[place.Register];
        int[] value = new int[EmulatedProcessor.Lanes];
        int bytes = isBroadcast ? sizeof(int) : 64;
        byte* from = memory(place.Address, bytes);
        if (isBroadcast)
            value.AsSpan().Fill(*(int*)from);
        else
            new Span<int>(from, value.Length).CopyTo(value);
        return value;
    }

    static float Float(int bits) => BitConverter.Int32BitsToSingle(bits);

    static int Bits(float value) => BitConverter.SingleToInt32Bits(value);
}
