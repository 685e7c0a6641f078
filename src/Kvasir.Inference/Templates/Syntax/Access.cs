using Kvasir.Inference.Templates.Library;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Syntax;

sealed record AttributeExpression(int Line, Expression Owner, string Name) : Expression(Line)
{
    protected override object? Compute(Scope scope) => Members.Attribute(Owner.Evaluate(scope), Name);
}

sealed record ItemExpression(int Line, Expression Owner, Expression Key) : Expression(Line)
{
    protected override object? Compute(Scope scope)
    {
        object? owner = Owner.Evaluate(scope), key = Key.Evaluate(scope);
        if (key is MarkedText || owner is MarkedText) scope.Rendering.Charge(owner is MarkedText ? owner : key);
        return Members.Item(owner, key);
    }
}

sealed record SliceExpression(int Line, Expression Owner, Expression? Start, Expression? Stop, Expression? Step) : Expression(Line)
{
    protected override object? Compute(Scope scope)
    {
        object? owner = Owner.Evaluate(scope);
        return scope.Rendering.Charge(Sequences.Slice(owner, Bound(Start), Bound(Stop), Bound(Step), scope.Rendering));

        long? Bound(Expression? bound) => bound?.Evaluate(scope) is { } value
            ? Numbers.Integer(value) ?? throw Kind.Wrong("a slice", value, "integers between the colons")
            : null;
    }
}

/// <summary>The arguments of a call as they are written.</summary>
sealed record ArgumentList(Expression[] Positional, (string Name, Expression Value)[] Named)
{
    public Arguments Evaluate(Scope scope) => new(
        [.. Positional.Select(argument => argument.Evaluate(scope))],
        [.. Named.Select(argument => (argument.Name, argument.Value.Evaluate(scope)))]);
}

sealed record CallExpression(int Line, Expression Callee, ArgumentList Arguments) : Expression(Line)
{
    protected override object? Compute(Scope scope) => Callee.Evaluate(scope) is var callee && callee is ICallable callable
        ? callable.Call(scope.Rendering, Arguments.Evaluate(scope))
        : throw Kind.Wrong("a call", callee, "a function, a method or a macro");
}

sealed record FilterExpression(int Line, Expression Subject, string Name, ArgumentList Arguments) : Expression(Line)
{
    protected override object? Compute(Scope scope)
    {
        object? subject = Subject.Evaluate(scope);
        return Filters.Find(Name).Call(scope.Rendering, Arguments.Evaluate(scope).After(subject));
    }
}

sealed record TestExpression(int Line, Expression Subject, string Name, ArgumentList Arguments) : Expression(Line)
{
    protected override object? Compute(Scope scope)
    {
        object? subject = Subject.Evaluate(scope);
        return Tests.Find(Name).Call(scope.Rendering, Arguments.Evaluate(scope).After(subject));
    }
}
