namespace Kvasir.KvCache.Retention;

/// <summary>
/// A head's positions in the order in which they are taken: those that are always kept, then the others by score, and of equals the
/// first. They are taken in units: single positions, or segments. With a budget, FastGen says how many a head needs, and scores say which.
/// </summary>
sealed class RankedHead
{
    readonly ulong[] _keys; // of those that are not always kept: the score, the greatest first, then the position
    readonly float[]? _scores;
    readonly int _positions, _sinks, _always, _unit;

    public RankedHead(RetentionPolicy policy, int positions, int unit, (int Layer, int KvHead, int Index) head, float[]? scores,
        FastGenHead? fastGen)
    {
        (Index, _unit, _positions, _scores) = (head.Index, unit, positions, scores);
        (_sinks, _always) = (Math.Min(policy.Sinks, positions), Math.Min(positions, policy.Sinks + policy.Recent));
        _keys = new ulong[positions - _always];
        for (int i = 0; i < _keys.Length; i++)
            _keys[i] = (ulong)(scores is null ? Hash(head.Layer, head.KvHead, _sinks + i) : Descending(scores[_sinks + i])) << 32
                | (uint)(_sinks + i);
        int required = fastGen is null ? 0 : MoveToFront(fastGen.Required.AsSpan());
        if (policy.Budget is not null) // without one, what is required is kept and nothing else
            Array.Sort(_keys);
        Limits = new HeadLimits(head.Layer, HeadLimits.Units(_always, unit), HeadLimits.Units(_always + required, unit),
            HeadLimits.Units(positions, unit));
        Units = Limits.Least;
    }

    /// <summary>What may be taken.</summary>
    public HeadLimits Limits { get; }

    /// <summary>Among the heads of all layers.</summary>
    public int Index { get; }

    /// <summary>Units that are taken.</summary>
    public int Units { get; set; }

    /// <summary>Which head's next unit is taken first: the least, which has the best position.</summary>
    public ulong NextByScore => _keys[Math.Max(0, Units * _unit - _always)] & ~(ulong)uint.MaxValue | (uint)Index;

    /// <summary>The same for the unit with most score for its bytes.</summary>
    public ulong NextByMass(long segmentBytes)
    {
        double mass = 0;
        for (int i = Math.Max(0, Units * _unit - _always), end = Math.Min(_keys.Length, (Units + 1) * _unit - _always); i < end; i++)
            mass += _scores![(int)(uint)_keys[i]];
        return (ulong)Descending((float)(mass / segmentBytes)) << 32 | (uint)Index;
    }

    /// <summary>The positions that are taken, ascending.</summary>
    public int[] Kept()
    {
        int count = Math.Min(_positions, Units * _unit), chosen = Math.Max(0, count - _always);
        var isChosen = new bool[_positions];
        isChosen.AsSpan(0, _sinks).Fill(true);
        isChosen.AsSpan(_sinks + _keys.Length).Fill(true);
        foreach (ulong key in _keys.AsSpan(0, chosen))
            isChosen[(int)(uint)key] = true;
        var kept = new int[_always + chosen];
        for (int position = 0, next = 0; next < kept.Length; position++)
            if (isChosen[position])
                kept[next++] = position;
        return kept;
    }

    int MoveToFront(ReadOnlySpan<int> required)
    {
        int next = 0;
        foreach (int position in required)
            if (position - _sinks is >= 0 and var i && i < _keys.Length)
                (_keys[next], _keys[i], next) = (_keys[i], _keys[next], next + 1); // ascending: nothing required is moved back
        return next;
    }

    /// <summary>Greater floats as lesser numbers; what is no number is worth least.</summary>
    static uint Descending(float score)
    {
        uint bits = BitConverter.SingleToUInt32Bits(float.IsNaN(score) ? float.NegativeInfinity : score + 0f); // + 0: of -0, 0
        return (int)bits < 0 ? bits : ~(bits | 0x8000_0000);
    }

    /// <summary>SplitMix64 (Steele et al., 2014), of which each position of each head draws once.</summary>
    static uint Hash(int layer, int kvHead, int position)
    {
        ulong z = ((ulong)layer << 48 ^ (ulong)kvHead << 32 ^ (uint)position) * 0x9E37_79B9_7F4A_7C15 + 0x9E37_79B9_7F4A_7C15;
        z = (z ^ z >> 30) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ z >> 27) * 0x94D0_49BB_1331_11EB;
        return (uint)((z ^ z >> 31) >> 32);
    }
}
