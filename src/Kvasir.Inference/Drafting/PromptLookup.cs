using System.Runtime.InteropServices;

namespace Kvasir.Inference.Drafting;

/// <summary>
/// Where the end of a text stood earlier in it: what followed there may follow here (Saxena, "Prompt Lookup Decoding", 2023,
/// https://github.com/apoorvumang/prompt-lookup-decoding). Places are chained by their last two tokens, as LZ77 does, and compared token by
/// token: no hash has to be believed. Eight to sixteen bytes and a few instructions a token, and a bounded search.
/// </summary>
sealed class PromptLookup
{
    /// <summary>Tokens that both places have to have in common at least.</summary>
    public const int Least = 2;

    /// <summary>Longer matches are as good as this one.</summary>
    public const int Longest = 32;

    const int MostPlaces = 64; // that are compared
    const int None = -1;

    readonly List<int> _text = [];
    readonly List<int> _before = []; // by place: the last one before it that ends in the same two tokens, or in others of their hash
    int[] _behind = new int[1024]; // by hash: the place behind the last that ends in those two tokens; 0 for none

    /// <summary>The text.</summary>
    public ReadOnlySpan<int> Text => CollectionsMarshal.AsSpan(_text);

    /// <summary>Makes room for so many tokens.</summary>
    public void Reserve(int tokens)
    {
        _text.EnsureCapacity(tokens);
        _before.EnsureCapacity(tokens);
        if (tokens > _behind.Length)
            Rechain((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)tokens));
    }

    /// <summary>Adds tokens at the end.</summary>
    public void Append(ReadOnlySpan<int> tokens)
    {
        if (_text.Count + tokens.Length > _behind.Length)
            Reserve(_text.Count + tokens.Length);
        foreach (int token in tokens)
        {
            _text.Add(token);
            _before.Add(Chain(_text.Count - 1));
        }
    }

    /// <summary>
    /// The place behind the longest match of the text's end, the latest of equals; at most <see cref="Longest"/> tokens are compared.
    /// </summary>
    /// <returns>
    /// The place of the token that followed, and the tokens in common; 0 of them where there are fewer than <see cref="Least"/>.
    /// </returns>
    public (int Place, int Common) Find()
    {
        (int Place, int Common) best = default;
        ReadOnlySpan<int> text = Text;
        int end = text.Length - 1, places = 0;
        for (int place = end < 0 ? None : _before[end]; place != None && places < MostPlaces && best.Common < Longest; places++)
        {
            int common = CommonEnd(text[..(place + 1)], text);
            if (common >= Least && common > best.Common)
                best = (place + 1, common);
            place = _before[place];
        }
        return best;
    }

    static int CommonEnd(ReadOnlySpan<int> one, ReadOnlySpan<int> other)
    {
        int common = 0;
        while (common < Math.Min(Longest, one.Length) && one[^(common + 1)] == other[^(common + 1)])
            common++;
        return common;
    }

    int Chain(int place)
    {
        if (place == 0)
            return None;
        ref int behind = ref _behind[Hash(_text[place - 1], _text[place]) & (uint)(_behind.Length - 1)];
        (int before, behind) = (behind - 1, place + 1);
        return before;
    }

    void Rechain(int heads)
    {
        _behind = new int[heads];
        for (int place = 0; place < _text.Count; place++)
            _before[place] = Chain(place);
    }

    static uint Hash(int one, int other)
    {
        uint mixed = ((uint)one * 0x9E3779B1 ^ (uint)other) * 0x85EBCA77;
        return mixed ^ mixed >> 15;
    }
}
