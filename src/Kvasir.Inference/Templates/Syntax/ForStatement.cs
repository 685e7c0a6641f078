using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Syntax;

/// <summary><c>for target in items if condition … else … endfor</c></summary>
sealed record ForStatement(int Line, Target Target, Expression Items, Expression? Condition, Body Body, Body? Otherwise) : Statement(Line)
{
    protected override Flow Perform(Scope scope, MarkedTextBuilder output)
    {
        IReadOnlyList<object?> items = Sequences.Items(Items.Evaluate(scope), scope.Rendering, "a loop");
        items = Condition is null ? [.. items] : [.. items.Where(item => Kind.IsTrue(Condition.Evaluate(ScopeOf(item, scope))))];
        var loop = new Loop(items, scope.Rendering);
        bool isElse = Otherwise is not null;
        while (loop.MoveNext())
        {
            Scope inner = ScopeOf(loop.Current, scope);
            inner.Set("loop", loop);
            Flow flow = Body.Execute(inner, output);
            if (flow == Flow.Break) break;
            isElse &= flow == Flow.Continue; // as in Jinja, where 'else' follows unless an iteration came to its end
        }
        return isElse ? Otherwise!.Execute(new Scope(scope), output) : Flow.Next;
    }

    Scope ScopeOf(object? item, Scope scope)
    {
        var inner = new Scope(scope);
        Target.Assign(item, inner);
        return inner;
    }
}

/// <summary>What a loop or assignment gives a value to: a name, a member of a namespace, or several of them.</summary>
abstract record Target
{
    public abstract void Assign(object? value, Scope scope);
}

sealed record NameTarget(string Name) : Target
{
    public override void Assign(object? value, Scope scope) => scope.Set(Name, value);
}

sealed record MemberTarget(string Owner, string Name) : Target
{
    public override void Assign(object? value, Scope scope)
    {
        if (scope.Find(Owner) is not Namespace owner)
            throw new TemplateException($"set {Owner}.{Name}: {Kind.Of(scope.Find(Owner))}, expected {Owner} to be a namespace");
        owner.Set(Name, value);
    }
}

sealed record TupleTarget(Target[] Targets) : Target
{
    public override void Assign(object? value, Scope scope)
    {
        IReadOnlyList<object?> items = Sequences.Items(value, scope.Rendering, "an assignment to several names");
        if (items.Count != Targets.Length)
            throw new TemplateException($"{items.Count} values for {Targets.Length} names, expected as many");
        for (int i = 0; i < Targets.Length; i++)
            Targets[i].Assign(items[i], scope);
    }
}
