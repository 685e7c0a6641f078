namespace Kvasir.Inference.Sampling.Constraints.Gbnf;

/// <summary>What can be said of rules before they become nodes.</summary>
sealed class GbnfRules
{
    readonly IReadOnlyDictionary<string, GbnfPart> _rules;
    readonly HashSet<string> _empty = [];

    public GbnfRules(IReadOnlyDictionary<string, GbnfPart> rules)
    {
        _rules = rules;
        while (rules.Any(rule => !_empty.Contains(rule.Key) && MayBeEmpty(rule.Value) && _empty.Add(rule.Key))) { }
        Recursive = Leftover(Names);
    }

    /// <summary>Rules that refer to themselves or to one that does: no regular expression says the same.</summary>
    public IReadOnlySet<string> Recursive { get; }

    public GbnfPart this[string rule] => _rules[rule];

    /// <summary>A place where a rule begins with itself: a text would have no end of ways to begin.</summary>
    public GbnfName? LeftRecursion()
    {
        HashSet<string> looping = Leftover(Beginnings);
        HashSet<string> seen = [];
        string? at = looping.FirstOrDefault();
        while (at is not null)
        {
            GbnfName next = Beginnings(_rules[at]).First(name => looping.Contains(name.Rule));
            if (!seen.Add(at))
                return next;
            at = next.Rule;
        }
        return null;
    }

    public bool IsRecursive(GbnfPart part) => Names(part).Any(name => Recursive.Contains(name.Rule));

    public bool MayBeEmpty(GbnfPart part) => part switch
    {
        GbnfText text => text.IsEmpty,
        GbnfName name => _empty.Contains(name.Rule),
        GbnfSequence sequence => sequence.Items.All(MayBeEmpty),
        GbnfChoice choice => choice.Options.Any(MayBeEmpty),
        GbnfRepetition repetition => repetition.Least == 0 || MayBeEmpty(repetition.Item),
        _ => throw new ArgumentOutOfRangeException(nameof(part)),
    };

    /// <summary>The rules that remain when those are taken away, again and again, that lead to none that is left.</summary>
    HashSet<string> Leftover(Func<GbnfPart, IEnumerable<GbnfName>> leads)
    {
        Dictionary<string, HashSet<string>> left =
            _rules.ToDictionary(rule => rule.Key, rule => leads(rule.Value).Select(name => name.Rule).ToHashSet());
        ILookup<string, string> from = left.SelectMany(rule => rule.Value.Select(to => (rule.Key, to)))
            .ToLookup(edge => edge.to, edge => edge.Key);
        Stack<string> done = new(left.Where(rule => rule.Value.Count == 0).Select(rule => rule.Key));
        while (done.TryPop(out string? rule))
        {
            left.Remove(rule);
            foreach (string before in from[rule])
                if (left[before].Remove(rule) && left[before].Count == 0)
                    done.Push(before);
        }
        return [.. left.Keys];
    }

    static IEnumerable<GbnfName> Names(GbnfPart part) => part switch
    {
        GbnfName name => [name],
        GbnfSequence sequence => sequence.Items.SelectMany(Names),
        GbnfChoice choice => choice.Options.SelectMany(Names),
        GbnfRepetition repetition => Names(repetition.Item),
        _ => [],
    };

    /// <summary>The names of rules that a part may begin with.</summary>
    IEnumerable<GbnfName> Beginnings(GbnfPart part) => part switch
    {
        GbnfName name => [name],
        GbnfSequence sequence =>
            sequence.Items.Take(1 + sequence.Items.TakeWhile(MayBeEmpty).Count()).SelectMany(Beginnings),
        GbnfChoice choice => choice.Options.SelectMany(Beginnings),
        GbnfRepetition repetition => Beginnings(repetition.Item),
        _ => [],
    };
}
