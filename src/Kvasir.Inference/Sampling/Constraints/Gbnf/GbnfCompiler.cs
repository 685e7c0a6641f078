using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Gbnf;

/// <summary>
/// Makes nodes of rules. What does not recur becomes an automaton, as large a part as there is; only recursion takes a stack, which may
/// grow as the text does.
/// </summary>
sealed class GbnfCompiler
{
    const int MaxNodes = 20_000, MaxCopies = 1000; // of what recurs: each may be the one that the text is in

    readonly GbnfReader _reader;
    readonly GbnfRules _rules;
    readonly WorkLimit _work = new(WorkLimit.PerGrammar);
    readonly Dictionary<string, ByteExpression> _expressions = [];
    readonly Dictionary<string, Reference> _references = [];
    readonly List<GrammarNode> _nodes = [];
    int _copies = 1;

    GbnfCompiler(GbnfReader reader, GbnfRules rules) => (_reader, _rules) = (reader, rules);

    public static GrammarNode Compile(string text)
    {
        GbnfReader reader = new(text);
        GbnfRules rules = new(GbnfParser.Rules(reader));
        if (rules.LeftRecursion() is { } left)
            throw reader.Refused("something before the rule that it begins with comes again", left.At);
        try
        {
            return new GbnfCompiler(reader, rules).Compile();
        }
        catch (GrammarTooLargeException)
        {
            throw new GbnfException("the grammar: rules that take too long to prepare, expected smaller counts or fewer rules");
        }
    }

    GrammarNode Compile()
    {
        GrammarNode root = Node(_rules["root"]);
        foreach (string rule in _rules.Recursive)
            Rule(rule).To(Node(_rules[rule]));
        Settle();
        return root.Height != GrammarNode.Endless ? root : throw new GbnfException("the grammar: no text that ends, expected one");
    }

    /// <summary>Heights become known one reference after the other.</summary>
    void Settle()
    {
        for (bool changed = true; changed;)
        {
            changed = false;
            foreach (GrammarNode node in _nodes)
                changed |= node.Settle();
        }
    }

    T Add<T>(T node) where T : GrammarNode
    {
        _nodes.Add(node);
        return _nodes.Count <= MaxNodes ? node : throw new GrammarTooLargeException();
    }

    Reference Rule(string name)
    {
        if (!_references.TryGetValue(name, out Reference? reference))
            _references[name] = reference = Add(new Reference());
        return reference;
    }

    GrammarNode Node(GbnfPart part) => !_rules.IsRecursive(part)
        ? Terminal([part])
        : part switch
        {
            GbnfName name => Rule(name.Rule),
            GbnfSequence sequence => Add(new Sequence([.. Runs(sequence.Items)])),
            GbnfChoice choice => Add(new Choice([.. choice.Options.Select(Node)])),
            GbnfRepetition repetition => Repetition(repetition),
            _ => throw new ArgumentOutOfRangeException(nameof(part)),
        };

    /// <summary>Neighbours that do not recur are one terminal.</summary>
    IEnumerable<GrammarNode> Runs(ImmutableArray<GbnfPart> items)
    {
        for (int i = 0, end; i < items.Length; i = end)
        {
            end = i;
            while (end < items.Length && !_rules.IsRecursive(items[end]))
                end++;
            yield return end > i ? Terminal(items[i..end]) : Node(items[end++]);
        }
    }

    Terminal Terminal(ImmutableArray<GbnfPart> parts) =>
        Add(new Terminal(ByteAutomaton.From(new Concatenation([.. parts.Select(Expression)]), _work)));

    Repetition Repetition(GbnfRepetition repetition)
    {
        int before = _copies;
        _copies *= Math.Max(1, repetition.Most ?? repetition.Least);
        if (_copies > MaxCopies)
            throw _reader.Refused($"counts of what recurs that make at most {MaxCopies:N0} copies together", repetition.At);
        int least = _rules.MayBeEmpty(repetition.Item) ? 0 : repetition.Least;
        Repetition node = Add(new Repetition(Node(repetition.Item), Sequence.Nothing, least, repetition.Most ?? int.MaxValue));
        _copies = before;
        return node;
    }

    ByteExpression Expression(GbnfPart part) => part switch
    {
        GbnfText text => text.Bytes,
        GbnfName name => Expression(name.Rule),
        GbnfSequence sequence => new Concatenation([.. sequence.Items.Select(Expression)]),
        GbnfChoice choice => new Alternation([.. choice.Options.Select(Expression)]),
        GbnfRepetition repetition => Expression(repetition.Item).Times(repetition.Least, repetition.Most),
        _ => throw new ArgumentOutOfRangeException(nameof(part)),
    };

    /// <summary>Rules may name others in a row that is longer than a thread's stack.</summary>
    ByteExpression Expression(string rule)
    {
        if (_expressions.TryGetValue(rule, out ByteExpression? known))
            return known;
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new GrammarTooLargeException();
        return _expressions[rule] = Expression(_rules[rule]);
    }
}
