using System.Numerics;
using System.Runtime.Intrinsics;

namespace Kvasir.Inference.Sampling.Constraints.Masks;

/// <summary>A set of tokens, one bit each.</summary>
sealed class TokenSet(int vocabulary)
{
    readonly ulong[] _bits = new ulong[(vocabulary + 63) / 64];

    public bool IsEmpty => !_bits.AsSpan().ContainsAnyExcept(0UL);

    public int Count => _bits.Sum(BitOperations.PopCount);

    public bool Contains(int token) => (_bits[token >> 6] >> token & 1) != 0;

    public void Clear() => _bits.AsSpan().Clear();

    public void Add(int token) => _bits[token >> 6] |= 1UL << token;

    public void Add(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
            Add(token);
    }

    public void Add(ReadOnlySpan<ulong> bits)
    {
        for (int i = 0; i < bits.Length; i++)
            _bits[i] |= bits[i];
    }

    /// <summary>Sets the logits of all other tokens to −∞.</summary>
    public void Mask(Span<float> logits)
    {
        logits[vocabulary..].Fill(float.NegativeInfinity); // models may have more rows than tokens
        for (int i = 0; i < _bits.Length; i++)
            if (_bits[i] != ulong.MaxValue)
                Mask(logits[(64 * i)..Math.Min(64 * i + 64, vocabulary)], _bits[i]);
    }

    static void Mask(Span<float> logits, ulong bits)
    {
        if (bits == 0)
            logits.Fill(float.NegativeInfinity);
        else if (logits.Length < 64)
            MaskSingly(logits, bits);
        else
            for (int i = 0; i < 64; i += Vector512<float>.Count)
                MaskSixteen(logits[i..], (int)(bits >> i) & 0xffff);
    }

    static void MaskSixteen(Span<float> logits, int bits)
    {
        Vector512<int> one = Vector512.Create(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768);
        Vector512<int> kept = Vector512.Equals(Vector512.Create(bits) & one, one);
        Vector512.ConditionalSelect(kept.AsSingle(), Vector512.Create<float>(logits),
            Vector512.Create(float.NegativeInfinity)).CopyTo(logits);
    }

    static void MaskSingly(Span<float> logits, ulong bits)
    {
        for (int i = 0; i < logits.Length; i++)
            if ((bits >> i & 1) == 0)
                logits[i] = float.NegativeInfinity;
    }
}
