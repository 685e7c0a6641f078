using Kvasir.KvCache.Prefixes;

namespace Kvasir.Inference.Scheduling;

/// <summary>
/// Chooses what the next pass computes: of every sequence that only needs its last token, that one; then prompts, in their
/// order, as many tokens as keep the others from waiting long. A block that one prompt computes in this pass is no other's work:
/// they wait for it and adopt it.
/// </summary>
sealed class StepPlanner(EngineParts engine)
{
    const int LeastPrefill = 32; // fewer rows hardly share the weights
    const int WorthAStep = 4; // tokens of a block that are worth waiting for

    static readonly Comparison<Generation> s_byBeginning = (one, other) =>
        one.Sequence.Blocks.Table.CompareBeginning(other.Sequence.Blocks.Table) is not 0 and var order
            ? order : one.Number.CompareTo(other.Number);

    readonly record struct Claim(Sequence Sequence, int Start, bool IsFilled);

    readonly Dictionary<BlockKey, Claim> _claims = []; // by the key of the block before
    readonly FairTurns _turns = new(engine.StepTime);
    readonly List<Generation> _reading = []; // those that may come from the disk in the next pass
    readonly List<Generation> _neighbours = [];
    readonly DraftPlanner _drafts = new(engine);
    int _prefillRows;
    long _steps;
    TimeSpan _readTime; // of theirs
    bool _mayStream;

    /// <summary>The pass.</summary>
    public ForwardPass Pass { get; } = engine.NewPass();

    /// <summary>Whose last token is in it, in the order of its rows of logits.</summary>
    public List<Generation> Completed { get; } = [];

    /// <summary>The row of logits of each of those, and how many guessed tokens have the rows behind it.</summary>
    public List<(int Row, int Drafted)> LastRows { get; } = [];

    /// <summary>Whose prompt is to be read: its first row of logits, and the position that it is of.</summary>
    public List<(Generation Generation, int Row, int From)> Read { get; } = [];

    /// <summary>Whose prompt is in it in part.</summary>
    public List<Generation> Advanced { get; } = [];

    /// <summary>About what a completion takes of the machine's time, in seconds; for telling others how long to wait.</summary>
    public double SecondsPerCompletion { get; private set; } = 1;

    /// <summary>Fills the pass; returns a sequence for which the pool has no room, and then the pass is not to be used.</summary>
    public Generation? Plan(List<Generation> running)
    {
        foreach (Generation generation in running)
            generation.Sequence.Blocks.Adopt(generation.Sequence.Tail);
        ChooseWhoReads(running);
        bool mayStream = _turns.MayStream(_readTime);
        if (Plan(running, mayStream, mayDraft: true) is not { } homeless)
            return null;
        if (Pass.Drafted == 0)
            return homeless;
        foreach (Generation generation in Completed) // a guess takes nobody's room
            generation.Sequence.Blocks.GiveBackRoom(generation.Sequence.Tail.Length);
        return Plan(running, mayStream, mayDraft: false);
    }

    Generation? Plan(List<Generation> running, bool mayStream, bool mayDraft)
    {
        Clear();
        (_prefillRows, _mayStream) = (0, mayStream);
        Neighbours(running).RemoveAll(generation => // ready first: what did not come is a hole then, and more is needed
            !IsReady(generation) || !NeedsOnlyItsLast(generation) || !HasTurn(generation));
        foreach (Generation generation in running)
            generation.DraftRows = 0;
        if (mayDraft)
            _drafts.Plan(_neighbours, besidePrompts: running.Exists(generation => !NeedsOnlyItsLast(generation)));
        foreach (Generation generation in _neighbours)
            if (!TryAdd(generation, 1))
                return generation;
        int budget = PrefillBudget(running.Count - Completed.Count);
        foreach (Generation generation in running)
            if (!IsInPass(generation) && !NeedsOnlyItsLast(generation) && IsReady(generation) && HasTurn(generation)
                && !TryAddPrompt(generation, budget))
                return generation;
        if (Pass.Rows == 0 && !mayStream && running.Exists(generation => generation.IsStreamed))
            return Plan(running, mayStream: true, mayDraft); // the others have nothing to do
        return Pass.Rows > 0 || running.Count == 0 ? null : PlanWaiting(running);
    }

    void Clear()
    {
        Pass.Clear();
        Completed.Clear();
        Advanced.Clear();
        LastRows.Clear();
        Read.Clear();
        _claims.Clear();
    }

    /// <summary>
    /// Those that begin alike beside each other: what rows have in common is read once for those that stand together.
    /// </summary>
    List<Generation> Neighbours(List<Generation> running)
    {
        _neighbours.Clear();
        _neighbours.AddRange(running);
        _neighbours.Sort(s_byBeginning);
        return _neighbours;
    }

    /// <summary>
    /// Everybody waits for blocks: the first one's layers are computed as they come. What other machines bring comes block by block: of
    /// those that wait for that, nothing can be computed yet.
    /// </summary>
    Generation? PlanWaiting(List<Generation> running) =>
        running.Find(generation => !generation.Sequence.Blocks.IsWaitingForPeers) is not { } first
            || TryAddPrompt(first, engine.Transformer.MaxTokens) ? null : first;

    /// <summary>
    /// Rows that may look at a prefix in a pass while others compute: each takes about as long as two of a prompt.
    /// </summary>
    public int RowsThatLook(bool isAlone) => isAlone || engine.Cache.Costs.TokensPerSecond is not (> 0 and var rate)
        ? engine.Transformer.MaxTokens
        : (int)Math.Clamp(rate * engine.StepTime.TotalSeconds / 2, Math.Min(LeastPrefill, engine.Transformer.MaxTokens),
            engine.Transformer.MaxTokens);

    /// <summary>The pass took so long.</summary>
    public void Took(TimeSpan time)
    {
        _steps++;
        bool streams = Took(Completed) | Took(Advanced);
        _turns.Took(time, streams);
        if (_prefillRows == 0 && Completed.Count > 0)
            _drafts.Took(Completed.Count, Pass.Drafted, time);
    }

    bool Took(List<Generation> those)
    {
        bool streams = false;
        foreach (Generation generation in those)
        {
            generation.Step = _steps;
            streams |= generation.IsStreamed;
        }
        return streams;
    }

    /// <summary>The ring has room for so many sequences at a time: those come first that have waited for longest.</summary>
    void ChooseWhoReads(List<Generation> running)
    {
        _reading.Clear();
        _readTime = TimeSpan.Zero;
        if (!engine.Cache.StreamsFromDisk)
            return;
        _reading.AddRange(running.Where(generation => generation.Sequence.Blocks is { BlocksOnDisk: > 0, IsWaiting: false })
            .OrderBy(generation => generation.Step).Take(Pass.MostStreamed));
        _readTime = engine.Forecast.Reading(_reading.Sum(generation => (long)generation.Sequence.Blocks.BlocksOnDisk));
    }

    /// <summary>
    /// Whether it is to be in the pass: it is the turn of what reads from outside the pool, and its own of what comes from the disk.
    /// </summary>
    bool HasTurn(Generation generation)
    {
        if (engine.Cache.Streamed is null || !generation.IsStreamed)
            return true;
        return _mayStream && (generation.Sequence.Blocks.BlocksOnDisk == 0 || _reading.Contains(generation));
    }

    /// <summary>A completion ended that took so long, beside so many others.</summary>
    public void Ended(TimeSpan time, int beside) =>
        SecondsPerCompletion += 0.1 * (time.TotalSeconds / Math.Max(1, beside) - SecondsPerCompletion);

    bool TryAddPrompt(Generation generation, int budget)
    {
        int before = Pass.Rows;
        if (budget <= _prefillRows || !IsUpToIt(generation))
            return true;
        int most = generation.ReadsPrompt ? Math.Min(budget - _prefillRows, engine.MostLogitRows) : budget - _prefillRows;
        bool hasRoom = TryAdd(generation, ToEndOfBlock(generation, most));
        _prefillRows += Pass.Rows - before;
        return hasRoom;
    }

    bool TryAdd(Generation generation, int most)
    {
        Sequence sequence = generation.Sequence;
        int logits = Pass.LogitRows, rows = Pass.Rows, cached = sequence.Cached, from = sequence.Blocks.Length;
        if (!Pass.TryAdd(sequence, most, generation.ReadsPrompt))
            return false;
        if (generation.ReadsPrompt)
            Read.Add((generation, logits, cached));
        bool isWhole = generation.ReadsPrompt ? cached + Pass.Rows - rows == sequence.Tokens.Length : Pass.LogitRows > logits;
        (isWhole ? Completed : Advanced).Add(generation);
        if (isWhole)
            LastRows.Add((Pass.LogitRows - 1, generation.DraftRows == 0 ? 0 : Pass.AddDraft(sequence, generation.Draft)));
        ClaimBlocks(sequence, from, (int)Math.Min(sequence.Tail.Length, (long)from + most));
        return true;
    }

    void ClaimBlocks(Sequence sequence, int from, int to)
    {
        int blockTokens = engine.Layout.BlockTokens;
        for (int start = from - from % blockTokens; start < to; start += blockTokens)
            if (sequence.Blocks.KeyBefore(sequence.Tail, start) is { } before)
                _claims.TryAdd(before, new Claim(sequence, start, start + blockTokens <= to));
    }

    /// <summary>Whether it is there already: what seemed to need only its last may have got holes where windows saw too little.</summary>
    bool IsInPass(Generation generation) => Completed.Contains(generation) || Advanced.Contains(generation);

    static bool NeedsOnlyItsLast(Generation generation) => generation.Sequence.Cached == generation.Sequence.Tokens.Length - 1;

    static bool IsReady(Generation generation)
    {
        if (!generation.Sequence.Blocks.IsWaiting)
            return true;
        if (!generation.Sequence.Blocks.HasArrived)
            return false;
        generation.Sequence.Blocks.WaitForAll();
        return true;
    }

    /// <summary>
    /// Whether a prompt's next tokens are its own work: not if another computes in this pass the whole block, or, when none that is there
    /// begins like it, one that does and will be there at the next step.
    /// </summary>
    bool IsUpToIt(Generation generation)
    {
        if (Claimed(generation) == engine.Layout.BlockTokens)
            return false;
        generation.Sequence.Blocks.AdoptTail(generation.Sequence.Tail);
        return Claimed(generation) < WorthAStep;
    }

    /// <summary>
    /// How many of a prompt's next tokens will be there at the next step, because another prompt computes them in this
    /// pass: a block, or its beginning.
    /// </summary>
    int Claimed(Generation generation)
    {
        Sequence sequence = generation.Sequence;
        (int blockTokens, int done) = (engine.Layout.BlockTokens, sequence.Cached % engine.Layout.BlockTokens);
        int start = sequence.Blocks.Length - done;
        if (sequence.Blocks.KeyBefore(sequence.Tail, start) is not { } before || !_claims.TryGetValue(before, out Claim claim))
            return 0;
        ReadOnlySpan<int> own = sequence.Tail[start..^1], others = claim.Sequence.Tail[claim.Start..];
        int common = own[..Math.Min(own.Length, blockTokens)].CommonPrefixLength(others);
        // half a block of its own is exchanged for a whole one, not for another half
        return common == blockTokens || claim.IsFilled && done == 0 ? common : 0;
    }

    /// <summary>A prompt that is cut is cut where a block ends, so that others can use all of it.</summary>
    int ToEndOfBlock(Generation generation, int most)
    {
        int end = generation.Sequence.Cached + most, whole = end - end % engine.Layout.BlockTokens;
        return whole > generation.Sequence.Cached ? whole - generation.Sequence.Cached : most;
    }

    TimeSpan PassTime => _mayStream && _readTime > engine.StepTime ? _readTime : engine.StepTime;

    /// <summary>
    /// While others generate, as many tokens of prompts as take about <see cref="EngineOptions.StepTime"/>, or as long as the disk takes for
    /// what they attend to; more when those who wait for their first token are more than those who wait for their next.
    /// </summary>
    int PrefillBudget(int prompts)
    {
        double share = Math.Max(0.0, prompts - Completed.Count) / Math.Max(1, prompts + Completed.Count);
        double rate = engine.Cache.Costs.TokensPerSecond;
        return Pass.Rows == 0 || rate == 0
            ? Pass.Room
            : (int)Math.Clamp(Math.Max(rate * PassTime.TotalSeconds, share * Pass.Room),
                Math.Min(LeastPrefill, Pass.Room), Pass.Room);
    }
}
