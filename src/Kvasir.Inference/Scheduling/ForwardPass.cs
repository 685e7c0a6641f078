using System.Diagnostics;
using Kvasir.Inference.Model;
using Kvasir.KvCache;

namespace Kvasir.Inference.Scheduling;

/// <summary>
/// One pass through the transformer: missing tokens of one sequence or of many. It is filled, computed, and what it
/// computed belongs to the cache.
/// </summary>
sealed class ForwardPass(ITransformer transformer, TieredKvCache cache)
{
    const int LeastToTime = 64; // fewer rows say little about the speed of prefill
    const int LeastRowsPerPiece = 4; // neither do many sequences with a row each

    readonly record struct Piece(Sequence Sequence, int From, int To); // in the sequence's tail

    readonly Batch _batch = new();
    readonly List<Piece> _pieces = [];
    readonly StreamedPass? _streamed = cache.Streamed is { Ring: { } ring, File: { } file } streamed
        ? new(streamed, ring, file, cache.Layout) : null;

    /// <summary>Tokens in it.</summary>
    public int Rows => _batch.Count;

    /// <summary>Tokens that it still has room for.</summary>
    public int Room => transformer.MaxTokens - _batch.Count;

    /// <summary>Tokens in it that are guesses.</summary>
    public int Drafted { get; private set; }

    /// <summary>Rows whose logits are wanted.</summary>
    public int LogitRows => _batch.LogitRows.Count;

    /// <summary>Begins another one.</summary>
    public void Clear()
    {
        _batch.Clear();
        _pieces.Clear();
        Drafted = 0;
    }

    /// <summary>
    /// Adds missing tokens of a sequence, the first ones, at most so many. False when the pool has no room for their keys
    /// and values; then none is added.
    /// </summary>
    /// <param name="sequence">A sequence that is not in the pass yet.</param>
    /// <param name="most">Most tokens to add.</param>
    /// <param name="wantsAllLogits">Whether the logits after every token are wanted, or only those after the sequence's last.</param>
    public bool TryAdd(Sequence sequence, int most, bool wantsAllLogits = false)
    {
        int first = _pieces.Count, left = Math.Min(most, Room);
        BlockTable table = sequence.Blocks.Table;
        sequence.Blocks.Align(sequence.Tail);
        int end = sequence.Tail.Length;
        for (int position = table.Length; left > 0 && position < end; position = table.NextMissing(position))
        {
            int to = Math.Min(Math.Min(table.EndOfMissing(position), end), position + left);
            if (!sequence.Blocks.TryReserve(to))
            {
                _pieces.RemoveRange(first, _pieces.Count - first);
                return false;
            }
            _pieces.Add(new Piece(sequence, position, to));
            (left, position) = (left - (to - position), to);
        }
        for (int piece = first; piece < _pieces.Count; piece++)
            AddRows(_pieces[piece], wantsAllLogits);
        return true;
    }

    /// <summary>
    /// Adds tokens that may follow those of the sequence that was added last, as far as there is room for their keys and values, each with
    /// its logits; returns how many. They are not the sequence's: whoever finds that some follow appends and fills them.
    /// </summary>
    public int AddDraft(Sequence sequence, ReadOnlySpan<int> draft)
    {
        int tokens = sequence.Tail.Length;
        draft = draft[..Math.Min(draft.Length, Room)];
        if (!draft.IsEmpty && !sequence.Blocks.TryReserve(tokens + draft.Length))
        {
            sequence.Blocks.GiveBackRoom(tokens);
            draft = draft[..(int)Math.Min(draft.Length, sequence.Blocks.Table.Capacity - tokens)];
        }
        for (int i = 0; i < draft.Length; i++)
            _batch.Add(draft[i], sequence.Tokens.Length + i, sequence.Blocks, wantsLogits: true);
        Drafted += draft.Length;
        return draft.Length;
    }

    /// <summary>
    /// Computes it. False when blocks that it attends to did not come: they are holes now, nothing was computed,
    /// and the pass has to be made anew.
    /// </summary>
    public bool TryCompute()
    {
        bool undisturbed = !_pieces.Exists(piece => piece.Sequence.Blocks.IsWaiting);
        long start = Stopwatch.GetTimestamp();
        (long bytes, TimeSpan reading, TimeSpan waited) = Read;
        if (_streamed is not null)
            foreach (Piece piece in _pieces)
                piece.Sequence.Blocks.WriteAhead();
        _batch.Streamed = _streamed is not null && _streamed.TryBegin(_batch) ? _streamed : null;
        if (!transformer.Forward(_batch))
        {
            LoseStreamed();
            return false;
        }
        cache.Costs.Streamed(Read.Bytes - bytes, Read.Time - reading);
        if (undisturbed && Drafted == 0 && Rows >= Math.Max(LeastToTime, LeastRowsPerPiece * _pieces.Count))
            cache.Computed(Rows, Stopwatch.GetElapsedTime(start) - (Read.Waited - waited));
        foreach ((Sequence sequence, int from, int to) in _pieces)
        {
            sequence.Blocks.Fill(sequence.Tail, from, to);
            sequence.Computed += to - from;
        }
        return true;
    }

    /// <summary>What came from the disk so far, and for how long computing waited for it.</summary>
    (long Bytes, TimeSpan Time, TimeSpan Waited) Read =>
        cache.Streamed?.Ring is { } ring ? (ring.BytesRead, ring.ReadTime, ring.Waited) : default;

    /// <summary>Sequences with blocks on the disk that it may have.</summary>
    public int MostStreamed => _streamed?.MostSequences ?? int.MaxValue;

    /// <summary>What did not come from the disk is to be computed again.</summary>
    void LoseStreamed()
    {
        _batch.Streamed?.End();
        foreach (CachedSequence sequence in _batch.Sequences)
            sequence.LoseStreamed(_batch.Streamed?.Failed ?? []);
    }

    /// <summary>The logits of the i-th row that wanted them, [vocabulary]; valid until the next pass.</summary>
    public Span<float> Logits(int i) => transformer.Logits(i);

    /// <summary>The final hidden state of that row, normalised, [width]; valid until the next pass.</summary>
    public ReadOnlySpan<float> Hidden(int i) => transformer.Hidden(i);

    void AddRows(Piece piece, bool wantsAllLogits)
    {
        Sequence sequence = piece.Sequence;
        int start = sequence.Blocks.Table.Start;
        for (int position = start + piece.From; position < start + piece.To; position++)
            _batch.Add(sequence.Tokens[position], position, sequence.Blocks,
                wantsAllLogits || position == sequence.Tokens.Length - 1);
    }
}
