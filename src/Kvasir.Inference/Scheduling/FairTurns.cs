namespace Kvasir.Inference.Scheduling;

/// <summary>
/// Whose turn it is where sequences longer than the pool are computed beside others. A pass that takes long because of what it reads from
/// outside the pool comes when the others have had as much time as it will take, and as much as the one before it took: a long sequence has
/// half of the machine, and most steps of short ones are as quick as without it.
/// </summary>
/// <param name="step">How long a pass may take without being counted.</param>
sealed class FairTurns(TimeSpan step)
{
    TimeSpan _took, _given; // by the last long pass; to the others since then

    /// <summary>Whether long sequences may be in the next pass.</summary>
    /// <param name="foreseen">How long it will take to read what they need; zero where that is not known.</param>
    public bool MayStream(TimeSpan foreseen)
    {
        TimeSpan due = foreseen > _took ? foreseen : _took;
        return due <= step || _given >= due;
    }

    /// <summary>A pass took so long, with long sequences in it or without.</summary>
    public void Took(TimeSpan time, bool streams) => (_took, _given) = streams ? (time, TimeSpan.Zero) : (_took, _given + time);
}
