using System.Collections.Immutable;

namespace Kvasir.Inference.Sampling.Constraints.Nodes;

/// <summary>One item after the other. The position is the number of items begun.</summary>
sealed class Sequence : GrammarNode
{
    readonly ImmutableArray<GrammarNode> _items;

    public Sequence(params ImmutableArray<GrammarNode> items)
    {
        _items = items;
        Settle();
    }

    /// <summary>The empty text.</summary>
    public static Sequence Nothing { get; } = new();

    public override IEnumerable<GrammarNode> Parts => _items;

    protected override int Measure() => _items.IsEmpty ? 0 : _items.Max(item => item.Height);

    /// <summary>Before the last item nothing is left to remember: lists made of sequences within sequences do not pile up.</summary>
    public override void Expand(StateBuilder builder, int position, Continuation next)
    {
        if (position < _items.Length - 1)
            builder.Push(new Frame(_items[position], 0, new Continuation(new Frame(this, position + 1, next))));
        else if (position == _items.Length - 1)
            builder.Push(new Frame(_items[position], 0, next));
        else
            builder.Push(next);
    }
}
