namespace Kvasir.Planning.Traces.Generators;

/// <summary>A text as its blocks' ids. Copies share what they have in common, and nothing that is appended later.</summary>
sealed class GrowingText
{
    /// <summary>Longer texts are refused.</summary>
    public const int MostTokens = 1 << 27;

    readonly RequestList _ids;
    readonly List<long> _full;
    long _tail; // id of the block that is not full, if there is one

    public GrowingText(RequestList ids) => (_ids, _full) = (ids, []);

    GrowingText(GrowingText other) => (_ids, _full, _tail, Tokens) = (other._ids, [.. other._full], other._tail, other.Tokens);

    public int Tokens { get; private set; }

    public GrowingText Copy()
    {
        _ids.Keep(_full.Count);
        return new GrowingText(this);
    }

    /// <summary>Appends tokens that stand nowhere else; the text itself, for chains.</summary>
    public GrowingText Append(int tokens)
    {
        if (tokens == 0)
            return this;
        if (Tokens > MostTokens - tokens)
            throw new ArgumentException($"a prompt would have more than {MostTokens:N0} tokens: expected shorter or fewer parts");
        Tokens += tokens;
        while (_full.Count < Tokens / _ids.BlockTokens)
            _full.Add(_ids.NewId());
        _tail = _ids.NewId(); // other content than before, so another block
        return this;
    }

    /// <summary>All blocks, so that the last may not be full.</summary>
    public long[] Blocks() => Tokens % _ids.BlockTokens == 0 ? [.. _full] : [.. _full, _tail];

    /// <summary>The full ones of its first tokens.</summary>
    public long[] FullBlocks(int tokens) => [.. _full[..(tokens / _ids.BlockTokens)]];
}
