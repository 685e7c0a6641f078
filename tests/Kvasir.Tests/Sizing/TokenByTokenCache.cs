using System.Numerics;
using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;

namespace Kvasir.Tests.Sizing;

/// <summary>
/// The formula a second time, without a formula: a cache that tokens are put into one by one and that drops what falls out of a window.
/// Bits are counted element by element, so that what <see cref="KvSize"/> multiplies is added up here.
/// </summary>
sealed class TokenByTokenCache(ModelSpec spec)
{
    readonly AttentionSpec[] _layers = [.. spec.Attention];
    readonly Queue<int>[] _held = [.. spec.Layers.Select(_ => new Queue<int>())];

    public void Append(int token)
    {
        for (int layer = 0; layer < _layers.Length; layer++)
        {
            if (_layers[layer].Producer != layer)
                continue;
            _held[layer].Enqueue(token);
            if (_held[layer].Peek() <= token - _layers[layer].Window)
                _held[layer].Dequeue();
        }
    }

    /// <summary>Bits of everything that is held.</summary>
    public BigInteger Bits(string type)
    {
        BigInteger bits = 0;
        foreach (Queue<int> tokens in _held)
            foreach (int _ in tokens)
                bits += BitsOfToken(_layers[Array.IndexOf(_held, tokens)], type);
        return bits;
    }

    /// <summary>Bits that a step reads: every layer looks at what it or its producer holds.</summary>
    public BigInteger ReadBits(string type)
    {
        BigInteger bits = 0;
        foreach (AttentionSpec layer in _layers)
            for (int i = 0; i < _held[layer.Producer].Count; i++)
                bits += BitsOfToken(layer, type);
        return bits;
    }

    static BigInteger BitsOfToken(AttentionSpec layer, string type)
    {
        BigInteger bits = 0;
        for (int head = 0; head < layer.KvHeads; head++)
            foreach (int row in (int[])[layer.KeyDim, layer.ValueDim])
                for (int element = 0; element < row; element++)
                    bits += BitsOfElement(type) + (type[0] == 'q' && element % 32 == 0 ? 16 : 0); // the group's scale, a half
        return bits;
    }

    static int BitsOfElement(string type) => type switch
    {
        "f32" => 32,
        "f16" or "bf16" => 16,
        "fp8" or "int8" or "q8_0" =>
        8,
        "q5_0" => 5,
        "q4_0" or "int4" => 4,
        "q3" => 3,
        "q2" => 2,
        _ => throw new ArgumentException(type)
    };
}
