namespace Kvasir.Inference.Tokenization;

/// <summary>A stretch of text that is one token so far, in a chain with its neighbours. Length 0: swallowed by the one before.</summary>
struct Symbol
{
    public int Start;
    public int Length;
    public int Token;
    public int Previous;
    public int Next;
}

/// <summary>Says which neighbours may become one token, and which first.</summary>
interface IPairs
{
    /// <summary>Lower ranks are joined first, equal ranks from the left.</summary>
    bool TryJoin(in Symbol left, in Symbol right, out int rank, out int token);
}

/// <summary>
/// Joins neighbouring symbols, the best pair first, until none is left: the loop that byte-level BPE and SentencePiece share.
/// </summary>
/// <remarks>
/// Microsoft.ML.Tokenizers 2.0.1 was tried first. Its BPE gives the same tokens but takes time quadratic in the length of a word (3.4 s for
/// 200,000 letters, and a server may be sent a megabyte), knows nothing of whole words that go before merges, and refuses repeated tokens.
/// Its SentencePiece disagrees with llama.cpp where scores are equal: <c>!!!!!!</c> of llama's vocabulary comes out differently.
/// Here a priority queue orders by rank and then position, so the time is n log n and ties go to the left.
/// </remarks>
sealed class Merger
{
    readonly PriorityQueue<Join, long> _queue = new();
    Symbol[] _symbols = new Symbol[32];
    int _count;

    /// <summary><paramref name="Length"/> is what the two had when they were queued; with another by now, the entry is stale.</summary>
    readonly record struct Join(int Left, int Right, int Length, int Token);

    public void Clear() => _count = 0;

    public void Add(int start, int length, int token)
    {
        if (_count == _symbols.Length) Array.Resize(ref _symbols, _count * 2);
        if (_count > 0) _symbols[_count - 1].Next = _count;
        _symbols[_count] = new Symbol { Start = start, Length = length, Token = token, Previous = _count - 1, Next = -1 };
        _count++;
    }

    public void Run<TPairs>(TPairs pairs) where TPairs : IPairs, allows ref struct
    {
        for (int i = 1; i < _count; i++)
            Offer(pairs, i - 1, i);
        while (_queue.TryDequeue(out Join join, out _))
        {
            ref Symbol left = ref _symbols[join.Left];
            ref Symbol right = ref _symbols[join.Right];
            if (left.Length == 0 || right.Length == 0 || left.Length + right.Length != join.Length) continue;
            (left.Length, left.Token, left.Next) = (join.Length, join.Token, right.Next);
            right.Length = 0;
            if (left.Next >= 0) _symbols[left.Next].Previous = join.Left;
            Offer(pairs, left.Previous, join.Left);
            Offer(pairs, join.Left, left.Next);
        }
    }

    /// <summary>What is left: begin at <see cref="First"/> and follow <see cref="Symbol.Next"/> until it is negative.</summary>
    public ref readonly Symbol this[int index] => ref _symbols[index];

    public int First => _count > 0 ? 0 : -1;

    void Offer<TPairs>(TPairs pairs, int left, int right) where TPairs : IPairs, allows ref struct
    {
        if (left < 0 || right < 0) return;
        if (!pairs.TryJoin(_symbols[left], _symbols[right], out int rank, out int token)) return;
        _queue.Enqueue(new Join(left, right, _symbols[left].Length + _symbols[right].Length, token), ((long)rank << 32) | (uint)left);
    }
}
