using Kvasir.Inference.Model;
using Kvasir.KvCache;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Retention;

/// <summary>
/// Finds out which positions of an exact prefix matter, by passes whose rows look at it and answer nothing. Nothing is left out before all
/// rows have looked. A pass at a time, so that others compute in between.
/// </summary>
sealed class RetentionProfile : IDisposable
{
    readonly Transformer _transformer;
    readonly CachedSequence _blocks;
    readonly int[] _tokens;
    readonly Scorer[] _scorers; // one after the other; the last one says what positions are worth
    int _current, _done;

    /// <param name="policy">What is asked.</param>
    /// <param name="prefix">The exact prefix, computed.</param>
    /// <param name="tokens">Its tokens.</param>
    /// <param name="prompt">What is known of the model's vocabulary and shape.</param>
    public RetentionProfile(RetentionPolicy policy, CachedSequence prefix, int[] tokens, ProfileParts prompt)
    {
        (_transformer, _blocks, _tokens) = (prompt.Transformer, prefix, tokens);
        _scorers = Scorer.Of(policy, tokens, prefix.Table, prompt);
        _done = _scorers.FirstOrDefault()?.FirstRow ?? tokens.Length;
    }

    /// <summary>Whether all rows have looked.</summary>
    public bool IsOver => _done == _tokens.Length;

    Scorer Current => _scorers[_current];

    /// <summary>The next pass. False when the pool has no room for its rows.</summary>
    /// <param name="most">Most rows, at least <see cref="Scorer.ObservedRows"/>: how many changes no score.</param>
    public bool TryStep(int most)
    {
        if (Current is ReplayScorer replay ? !TryReplay(replay, most) : !TryLook(most))
            return false;
        if (IsOver && _current + 1 < _scorers.Length)
            _done = _scorers[++_current].FirstRow;
        return true;
    }

    /// <summary>Rows look from their own places.</summary>
    bool TryLook(int most)
    {
        int from = _done;
        _done = Math.Min(_tokens.Length, from + most);
        Compute(from, _done, from);
        return true;
    }

    /// <summary>Rows of a piece follow the prefix.</summary>
    bool TryReplay(ReplayScorer replay, int most)
    {
        int length = replay.Piece, piece = _done / length * length, first = Math.Max(0, piece - ReplayScorer.LeadIn);
        int end = Math.Min(_tokens.Length, piece + length), from = _done == piece ? first : _done;
        if (!_blocks.TryReserve(_tokens.Length + end - first))
            return false;
        _done = Math.Min(end, from + most);
        replay.Original = first..end;
        Compute(from, _done, _tokens.Length + from - first);
        return true;
    }

    /// <summary>Computes the rows of the tokens <c>[from, to)</c>, from a position on.</summary>
    void Compute(int from, int to, int position)
    {
        Batch batch = new() { Observer = Current };
        for (int token = from; token < to; token++)
            batch.Add(_tokens[token], position + token - from, _blocks, wantsLogits: false);
        _transformer.Forward(batch);
    }

    /// <summary>What was found out: null where a policy needs none.</summary>
    public RetentionScores? Scores(RetentionShape shape) => _scorers.LastOrDefault()?.Scores(shape);

    /// <summary>Which share of the attention goes to what is kept; null where nobody looked.</summary>
    public ViewMass? Mass(KeptPositions kept) => _scorers.LastOrDefault()?.Mass(kept);

    /// <summary>What each layer's heads need, in a FastGen policy.</summary>
    public FastGenHead[][]? Heads => _scorers.OfType<FastGenScorer>().FirstOrDefault()?.Heads;

    public void Dispose() => Array.ForEach(_scorers, scorer => scorer.Dispose());
}
