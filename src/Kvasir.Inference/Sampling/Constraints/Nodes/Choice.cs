using System.Collections.Immutable;

namespace Kvasir.Inference.Sampling.Constraints.Nodes;

/// <summary>Any of the options; without options, no text.</summary>
sealed class Choice : GrammarNode
{
    readonly ImmutableArray<GrammarNode> _options;

    public Choice(params ImmutableArray<GrammarNode> options)
    {
        _options = options;
        Settle();
    }

    public override IEnumerable<GrammarNode> Parts => _options;

    protected override int Measure() => _options.IsEmpty ? Endless : _options.Min(option => option.Height);

    public override void Expand(StateBuilder builder, int position, Continuation next)
    {
        foreach (GrammarNode option in _options)
            builder.Push(new Frame(option, 0, next));
    }
}
