using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Syntax;

/// <summary>Part of a template that has a value.</summary>
abstract record Expression(int Line)
{
    /// <summary>The value, for what it costs.</summary>
    public object? Evaluate(Scope scope)
    {
        scope.Rendering.Enter(Line);
        object? value = Compute(scope);
        scope.Rendering.Leave();
        return value;
    }

    protected abstract object? Compute(Scope scope);
}

sealed record LiteralExpression(int Line, object? Value) : Expression(Line)
{
    protected override object? Compute(Scope scope) => Value;
}

sealed record NameExpression(int Line, string Name) : Expression(Line)
{
    protected override object? Compute(Scope scope) => scope.Find(Name);
}

sealed record ListExpression(int Line, Expression[] Items, bool IsTuple) : Expression(Line)
{
    protected override object? Compute(Scope scope)
    {
        object?[] items = [.. Items.Select(item => item.Evaluate(scope))];
        return IsTuple ? items : items.ToList();
    }
}

sealed record DictionaryExpression(int Line, (Expression Key, Expression Value)[] Entries) : Expression(Line)
{
    protected override object? Compute(Scope scope)
    {
        var dictionary = KeyComparer.NewDictionary();
        foreach (var (key, value) in Entries)
            dictionary[KeyComparer.Key(scope.Rendering.Charge(key.Evaluate(scope)))] = value.Evaluate(scope);
        return dictionary;
    }
}

sealed record ConditionalExpression(int Line, Expression Condition, Expression Value, Expression? Otherwise) : Expression(Line)
{
    protected override object? Compute(Scope scope) => Kind.IsTrue(Condition.Evaluate(scope)) ? Value.Evaluate(scope)
        : Otherwise is null ? new Undefined("the value of an 'if' without an 'else' is undefined")
        : Otherwise.Evaluate(scope);
}
