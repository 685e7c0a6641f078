using System.Globalization;
using Kvasir.KvCache.Codecs;

namespace Kvasir.KvCache.Retention;

/// <summary>Reads one policy, and says in one line what is wrong with it.</summary>
sealed class RetentionParser(string text)
{
    const string Epsilon = "eps=";
    const string Modifiers = "alloc=, sinks=, recent=, min=, type=, type-k=, type-v= or rotate=";
    const int SlopesRecent = 8; // α of PyramidKV
    const int ReplaysRecent = 4; // what was said last is replayed like all else

    const int QuestsRecent = 64; // pages of them, and the one that fills

    readonly HashSet<string> _given = [];
    RetentionPolicy _policy = null!; // Parse reads the form first
    bool _hasChoiceOfSchedule;
    int? _recent;

    public RetentionPolicy? Parse()
    {
#pragma warning disable CA1308 // what is compared with is lower-case
        string[] parts = Unversioned(text.ToLowerInvariant()).Split(',');
#pragma warning restore CA1308
        if (parts is ["none"])
            return null;
        _policy = Form(parts[0]);
        foreach (string modifier in parts[1..])
            Modify(modifier);
        _policy = _policy with { Recent = _recent ?? DefaultRecent };
        return _policy.Budget is RetentionBudget.Tokens { PerHead: var tokens } && tokens < _policy.Sinks + (long)_policy.Recent
            ? throw Wrong($"{tokens} tokens per head, expected at least the {_policy.Sinks} sinks and {_policy.Recent} recent ones")
            : _policy;
    }

    /// <summary>Without the version with which policies are written, if it is this one's.</summary>
    string Unversioned(string policy) => policy.Split(" v") is [var words, var version]
        ? version == $"{RetentionPolicy.Version}" ? words : throw Wrong($"version {Quote(version)}, expected {RetentionPolicy.Version}")
        : policy;

    int DefaultRecent => _policy.ReadsPages ? QuestsRecent : _policy.Scorer == RetentionScorer.Replay ? ReplaysRecent
        : _policy.Schedule is RetentionSchedule.Pyramid or RetentionSchedule.Funnel ? SlopesRecent : 32;

    RetentionPolicy Form(string form)
    {
        int colon = form.IndexOf(':', StringComparison.Ordinal);
        (string name, string rest) = colon < 0 ? ("", form) : (form[..colon], form[(colon + 1)..]);
        if (name.Length == 0)
            return colon < 0 && char.IsAsciiDigit(form.FirstOrDefault()) ? Best(form) : throw Unknown();
        return name switch
        {
            "window" => Window(rest),
            "fastgen" => FastGen(rest),
            "quest" => Quest(rest),
            _ when Schedule(name) is { } schedule => Of(
                schedule is RetentionSchedule.Pyramid or RetentionSchedule.Funnel ? RetentionScorer.SnapKv : RetentionScorer.Replay,
                schedule, rest),
            _ when Scorer(name) is { } scorer => Chosen(scorer, rest),
            _ => throw Unknown(),
        };
    }

    /// <summary>
    /// What loses least for its bytes (docs/retention.md): twice as many positions in half as many bits are worth more than they cost.
    /// </summary>
    RetentionPolicy Best(string budget) =>
        Chosen(RetentionScorer.Replay, budget) with { KeyType = Q8_0Codec.Instance.Name, ValueType = Q8_0Codec.Instance.Name };

    RetentionPolicy Chosen(RetentionScorer scorer, string budget)
    {
        _hasChoiceOfSchedule = true;
        return Of(scorer, scorer == RetentionScorer.Replay ? RetentionSchedule.Global : RetentionSchedule.Uniform, budget);
    }

    RetentionPolicy Of(RetentionScorer scorer, RetentionSchedule schedule, string budget) => new()
    {
        Scorer = scorer,
        Schedule = schedule,
        Budget = RetentionBudget.Find(budget)
            ?? throw Wrong($"a budget of {Quote(budget)}, expected above 0% and at most 100%, tokens per head or a size such as 64MiB"),
    };

    RetentionPolicy Window(string rest)
    {
        string[] parts = rest.Split('+');
        if (parts.Length > 2)
            throw Unknown();
        _recent = Count(parts[0], "recent tokens", least: 1);
        RetentionPolicy policy = new() { Scorer = RetentionScorer.Window };
        return parts.Length == 1 ? policy : policy with { Sinks = Count(parts[1], "sinks") };
    }

    RetentionPolicy FastGen(string rest)
    {
        string[] parts = rest.Split('+', 2);
        if (!double.TryParse(parts[0], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double threshold)
            || threshold is not (> 0 and <= 1))
            throw Wrong($"a threshold of {Quote(parts[0])}, expected above 0 and at most 1");
        if (parts.Length == 1)
            return new RetentionPolicy { Scorer = RetentionScorer.FastGen, Threshold = threshold };
        string[] within = parts[1].Split(':', 2);
        return within.Length == 2 && Schedule(within[0]) is { } schedule
            ? Of(RetentionScorer.FastGen, schedule, within[1]) with { Threshold = threshold }
            : throw Unknown();
    }

    RetentionPolicy Quest(string rest)
    {
        RetentionPolicy policy = new() { Scorer = RetentionScorer.Quest };
        if (rest.StartsWith(Epsilon, StringComparison.Ordinal))
            return decimal.TryParse(rest[Epsilon.Length..], NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
                CultureInfo.InvariantCulture, out decimal epsilon) && epsilon is > 0 and < 1
                ? policy with { Epsilon = epsilon }
                : throw Wrong($"{Epsilon}{Quote(rest[Epsilon.Length..])}, expected above 0 and below 1, such as {Epsilon}1e-4");
        return RetentionBudget.Find(rest) is (RetentionBudget.Share or RetentionBudget.Tokens) and var budget
            ? policy with { Budget = budget }
            : throw Wrong($"{Quote(rest)}, expected a share of the pages above 0% and at most 100%, tokens such as 512, or {Epsilon}1e-4");
    }

    void Modify(string modifier)
    {
        string[] parts = modifier.Split('=', 2);
        if (!_given.Add(parts[0]))
            throw Wrong($"{Quote(parts[0])} twice");
        string value = parts.Length == 2 ? parts[1] : "";
        bool isWindow = _policy.Scorer == RetentionScorer.Window;
        if (_policy.ReadsPages && parts[0] is not ("sinks" or "recent" or "min"))
            throw Wrong($"{Quote(modifier)} beside quest, which keeps everything as it is, expected sinks=, recent= or min=");
        _policy = parts[0] switch
        {
            "alloc" => _policy with { Schedule = Allocation(value) },
            "sinks" or "recent" when isWindow => throw Wrong($"{parts[0]}= beside a window, expected window:N+SINKS"),
            "sinks" => _policy with { Sinks = Count(value, "sinks") },
            "recent" => _policy with { Recent = (_recent = Count(value, "recent tokens")).Value },
            "min" => _policy with { Minimum = Count(value, "tokens of the shortest prefix") },
            "type" => _policy with { KeyType = Codec(value), ValueType = Codec(value) },
            "type-k" => _policy with { KeyType = Codec(value) },
            "type-v" => _policy with { ValueType = Codec(value) },
            "rotate" when value is "on" or "off" => _policy with { Rotates = value == "on" },
            "rotate" => throw Wrong($"rotate={Quote(value)}, expected on or off"),
            _ => throw Wrong($"unknown modifier {Quote(modifier)}, expected {Modifiers}"),
        };
    }

    RetentionSchedule Allocation(string value) =>
        !_hasChoiceOfSchedule ? throw Wrong("alloc= where the policy has its own schedule or none")
        : Schedule(value) ?? throw Wrong($"alloc={Quote(value)}, expected uniform, layer, global, pyramid or funnel");

    static RetentionSchedule? Schedule(string name) => name switch
    {
        "uniform" => RetentionSchedule.Uniform,
        "layer" => RetentionSchedule.Layer,
        "global" => RetentionSchedule.Global,
        "pyramid" or "pyramidkv" => RetentionSchedule.Pyramid,
        "funnel" => RetentionSchedule.Funnel,
        _ => null,
    };

    static RetentionScorer? Scorer(string name) => name switch
    {
        "recent" => RetentionScorer.Recent,
        "random" => RetentionScorer.Random,
        "h2o" => RetentionScorer.H2O,
        "snapkv" => RetentionScorer.SnapKv,
        "expected" => RetentionScorer.Expected,
        "replay" => RetentionScorer.Replay,
        _ => null,
    };

    string Codec(string name) => KvCodecs.TryParse(name, out IKvCodec? codec)
        ? codec.Name
        : throw Wrong($"unknown codec {Quote(name)}, expected {string.Join(", ", KvCodecs.Names)}");

    int Count(string digits, string what, int least = 0) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= least && value <= 1 << 30
            ? value
            : throw Wrong($"{Quote(digits)} {what}, expected {least} to {1 << 30}");

    ArgumentException Unknown() => Wrong($"expected {RetentionPolicy.Forms}");

    ArgumentException Wrong(string what) => new($"retention {Quote(text)}: {what}");

    /// <summary>Fit for one line, whoever wrote it.</summary>
    static string Quote(string written)
    {
        string line = string.Concat(written.Take(80).Select(letter => letter is >= ' ' and <= '~' ? letter : '?'));
        return $"'{line}{(written.Length > 80 ? "…" : "")}'";
    }
}
