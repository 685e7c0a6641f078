using System.Diagnostics;
using Kvasir.Inference.Retention;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Scheduling;

/// <summary>
/// How a completion comes to its view. One that is there is entered; else the prefix is computed exactly, as a sequence of its own, looked
/// at by a policy, gathered into a view and given back.
/// <code>
/// Arrive ─▶ entered, or waits for another completion that makes the same view, and arrives again
///    └────▶ Subject is computed ─▶ BeginProfile, TryStep … ─▶ Gather (elsewhere) ─▶ Enter
/// </code>
/// Whatever does not work out leaves the completion exact, and says why.
/// </summary>
sealed class RetentionRun(EngineParts engine, Sequence sequence, RetentionOptions options) : IDisposable
{
    readonly RetentionPolicy _policy = options.Policy;
    readonly int _promptTokens = sequence.Tokens.Length;
    IReadOnlyList<BlockKey> _keys = [];
    ViewName? _name; // once it is decided
    RetentionProfile? _profile;
    Task<ViewLease?>? _gathering;
    bool _keepsAll; // written by the gathering before it ends
    bool _waits;
    long _begun;

    /// <summary>The exact prefix while it is computed and looked at; null before and after.</summary>
    public Sequence? Subject { get; private set; }

    /// <summary>What came of it.</summary>
    public RetentionUse Use { get; private set; } = new(options.Policy.ToString());

    /// <summary>What was done for the prefix, when the view was made for this completion.</summary>
    public CacheUse? Before { get; private set; }

    /// <summary>Whether passes look at the prefix, or are to.</summary>
    public bool IsProfiling => _profile is { IsOver: false };

    /// <summary>Whether the view is being gathered.</summary>
    public bool IsGathering => _gathering is { IsCompleted: false };

    /// <summary>Whether the view is gathered, or could not be, and is to be entered.</summary>
    public bool IsGathered => _gathering is { IsCompleted: true };

    /// <summary>Whether another completion makes the same view, or has ended to: then this one arrives again.</summary>
    public bool Waits => _waits;

    /// <summary>Whether that goes on.</summary>
    public bool IsWaiting => _waits && engine.ViewsInTheMaking.ContainsKey(_name!);

    /// <summary>Called when others need not wait for this one any longer.</summary>
    public Action? Ended { get; set; }

    /// <summary>Whether the view is for others, too.</summary>
    bool IsShared => engine.SharesBlocks && !_policy.IsAware && options.Adjust is null;

    int BlockTokens => engine.Layout.BlockTokens;

    /// <summary>Computes the keys of the prefix, on whichever thread has the time.</summary>
    public void ComputeKeys()
    {
        int most = Math.Min(options.Prefix ?? int.MaxValue, _promptTokens - 1), prefix = Math.Max(0, most - most % BlockTokens);
        _keys = engine.Cache.Keys(sequence.Tokens[..prefix], sequence.Salt);
    }

    /// <summary>Its turn has come, for the first time or again.</summary>
    public void Arrive()
    {
        _waits = false;
        if (Use.WhyExact is not null)
            return;
        int prefix = _keys.Count * BlockTokens;
        if (prefix < Math.Max(1, _policy.Minimum))
            StayExact($"{prefix} tokens are less than min={_policy.Minimum}");
        else if (_name is not null)
            Enter(engine.Cache.Views.TryFind(_name), wasFound: true);
        else
            EnterLongest(NameOf(prefix));
        if (sequence.View is not null || Use.WhyExact is not null)
            return;
        if (!IsShared || engine.ViewsInTheMaking.TryAdd(_name!, this))
            ComputePrefix();
        else
            _waits = true;
    }

    ViewName NameOf(int prefix)
    {
        ViewCodecs codecs = Codecs();
        return new ViewName(_keys[prefix / BlockTokens - 1], prefix, _policy.ToString(), codecs.Keys.Name, codecs.Values.Name);
    }

    ViewCodecs Codecs() => engine.ViewCodecs(_policy);

    /// <summary>Enters the view that leaves the least behind it, unless that is too much: then a new one is made.</summary>
    void EnterLongest(ViewName whole)
    {
        if (sequence.View is { } current && IsOfThisPrefix(current.Name, whole)
            && !ViewReach.IsTooShort(current.Positions, whole.Positions))
        {
            (_name, Use) = (current.Name, Use with { View = current, WasFound = true });
            return;
        }
        ViewLease? found = !IsShared ? null : engine.Cache.Views.TryFindLongest(_keys, whole, BlockTokens);
        if (found is not null && ViewReach.IsTooShort(found.View.Positions, whole.Positions))
        {
            found.Dispose();
            found = null;
        }
        _name = found?.View.Name ?? whole;
        Enter(found, wasFound: true);
    }

    bool IsOfThisPrefix(ViewName name, ViewName whole) => name.Positions <= whole.Positions && name == NameOf(name.Positions);

    void Enter(ViewLease? view, bool wasFound)
    {
        if (view is null)
        {
            sequence.LeaveView();
            return;
        }
        sequence.Enter(view, IsShared);
        Use = Use with { View = view.View, WasFound = wasFound };
    }

    void ComputePrefix()
    {
        Subject = engine.NewSequence(sequence.Salt);
        Subject.Append(sequence.Tokens[.._name!.Positions]);
        Subject.Blocks.ComputeKeys(Subject.Tokens);
    }

    /// <summary>The prefix is computed: passes are to look at it.</summary>
    public void BeginProfile()
    {
        _begun = Stopwatch.GetTimestamp();
        if (Subject!.Blocks.BlocksOnDisk > 0)
        {
            GiveUp("a part of the prefix is streamed from the disk");
            return;
        }
        ProfileParts parts = new((Model.Transformer)engine.Transformer, engine.Config, engine.Tokenizer, engine.Layout);
        _profile = new RetentionProfile(_policy, Subject!.Blocks, Subject.Tokens.ToArray(), parts);
        if (_profile.IsOver)
            BeginGathering();
    }

    /// <summary>One pass, of at most so many rows.</summary>
    public void StepProfile(int rows)
    {
        if (!_profile!.TryStep(rows))
            GiveUp("the pool has no room to look at the prefix");
        else if (_profile.IsOver)
            BeginGathering();
    }

    /// <summary>Chooses and copies on another thread, while others compute.</summary>
    void BeginGathering()
    {
        (RetentionProfile profile, Sequence subject, ViewName name) = (_profile!, Subject!, _name!);
        subject.Blocks.Table.Truncate(name.Positions / BlockTokens); // what rows that only looked have left
        _gathering = Task.Run(() =>
        {
            ViewCodecs codecs = Codecs();
            RetentionShape shape = ViewShape.Of(engine.Layout, codecs, name.Positions);
            RetentionScores? scores = profile.Scores(shape);
            if (scores is not null)
                options.Adjust?.Invoke(scores);
            KeptPositions? kept = RetentionSelection.Select(_policy, shape, scores, profile.Heads);
            _keepsAll = kept is null;
            return kept is null ? null
                : engine.Cache.TryGather(subject.Blocks, name, codecs, kept, isFound: IsShared, profile.Mass(kept));
        });
    }

    /// <summary>Tells somebody when the view is gathered, if one is being.</summary>
    public void WhenGathered(Action over) => _gathering?.ContinueWith(_ => over(), TaskScheduler.Default);

    /// <summary>Waits for the view, if one is being gathered: for a thread that has nothing else to do.</summary>
    public void WaitUntilGathered()
    {
        if (_gathering is { } gathering)
            ((IAsyncResult)gathering).AsyncWaitHandle.WaitOne();
    }

    /// <summary>The view is gathered: the completion goes on behind it.</summary>
    public void Enter()
    {
        ViewLease? view = _gathering!.GetAwaiter().GetResult();
        _gathering = null;
        if (view is null)
        {
            GiveUp(_keepsAll ? "a view would take no less" : "the pool has no room for the view beside the exact prefix");
            return;
        }
        Subject!.Blocks.EndRequest(isWhole: false);
        Before = Subject.Blocks.Use;
        Enter(view, wasFound: false);
        EndSubject();
        Use = Use with { ProfileTime = Stopwatch.GetElapsedTime(_begun) };
    }

    /// <summary>Gives back what it holds, to come again.</summary>
    public void Pause()
    {
        if (Subject is null)
            sequence.LeaveView();
        EndSubject();
    }

    public void Dispose()
    {
        WaitUntilGathered();
        if (_gathering is { IsCompletedSuccessfully: true })
            _gathering.Result?.Dispose();
        EndSubject();
    }

    void StayExact(string why)
    {
        sequence.LeaveView();
        Use = new RetentionUse(Use.Policy) { WhyExact = why };
    }

    void GiveUp(string why)
    {
        EndSubject();
        StayExact(why);
    }

    void EndSubject()
    {
        _profile?.Dispose();
        _profile = null;
        if (Subject is { } subject)
            sequence.Computed += subject.Computed;
        Subject?.Dispose();
        Subject = null;
        if (_name is not null && engine.ViewsInTheMaking.TryGetValue(_name, out RetentionRun? maker) && maker == this)
        {
            engine.ViewsInTheMaking.Remove(_name);
            Ended?.Invoke();
        }
    }
}
