namespace Kvasir.Inference.Sampling.Constraints.Nodes;

/// <summary>
/// An item some number of times with a separator between. The position is the number of items begun, as far as it matters.
/// </summary>
sealed class Repetition : GrammarNode
{
    readonly GrammarNode _item;
    readonly Sequence _another;
    readonly int _least, _most, _counted;

    /// <param name="item">May not be empty together with the separator.</param>
    /// <param name="separator">Between two items.</param>
    /// <param name="least">0 or more.</param>
    /// <param name="most">The least or more; <see cref="int.MaxValue"/> for no end.</param>
    public Repetition(GrammarNode item, GrammarNode separator, int least, int most)
    {
        (_item, _another, _least, _most) = (item, new Sequence(separator, item), least, most);
        _counted = most == int.MaxValue ? Math.Max(1, least) : most;
        Settle();
    }

    public override IEnumerable<GrammarNode> Parts => [_item, _another];

    protected override int Measure()
    {
        _another.Settle();
        return _least > _most ? Endless : _least == 0 ? 0 : _least == 1 ? _item.Height : _another.Height;
    }

    public override void Expand(StateBuilder builder, int position, Continuation next)
    {
        if (position >= _least)
            builder.Push(next);
        if (position < _most)
            builder.Push(
                new Frame(position == 0 ? _item : _another, 0, new Continuation(new Frame(this, Math.Min(position + 1, _counted), next))));
    }
}
