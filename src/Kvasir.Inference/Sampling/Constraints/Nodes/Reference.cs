namespace Kvasir.Inference.Sampling.Constraints.Nodes;

/// <summary>Stands for a node that is not made yet: grammars may refer to themselves.</summary>
sealed class Reference : GrammarNode
{
    GrammarNode? _target;

    /// <summary>Says what it stands for, once.</summary>
    public T To<T>(T target) where T : GrammarNode
    {
        _target = target;
        return target;
    }

    public override IEnumerable<GrammarNode> Parts => _target is null ? [] : [_target];

    protected override int Measure() => _target?.Height ?? Endless;

    public override void Expand(StateBuilder builder, int position, Continuation next) => builder.Push(new Frame(_target!, 0, next));
}
