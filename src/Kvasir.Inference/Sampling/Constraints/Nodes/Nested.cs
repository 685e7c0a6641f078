namespace Kvasir.Inference.Sampling.Constraints.Nodes;

/// <summary>
/// A body one level deeper than what is around it: an object or an array. JSON readers bound this depth, and so does a grammar.
/// </summary>
sealed class Nested : GrammarNode
{
    /// <summary>With values of a schema's <c>const</c> inside, still within the 64 levels that System.Text.Json reads.</summary>
    public const int MaxDepth = 48;

    readonly GrammarNode _body;

    public Nested(GrammarNode body)
    {
        _body = body;
        Settle();
    }

    public override IEnumerable<GrammarNode> Parts => [_body];

    protected override int Measure() => _body.Height < MaxDepth ? _body.Height + 1 : Endless;

    public override void Expand(StateBuilder builder, int position, Continuation next)
    {
        if (position == 0)
            builder.Push(new Frame(_body, 0, new Continuation(new Frame(this, 1, next))));
        else
            builder.Push(next);
    }
}
