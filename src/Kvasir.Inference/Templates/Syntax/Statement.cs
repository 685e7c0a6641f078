using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Syntax;

/// <summary>What happens after a statement.</summary>
enum Flow
{
    Next,
    Break,
    Continue,
}

/// <summary>Part of a template that writes or does something.</summary>
abstract record Statement(int Line)
{
    /// <summary>Does it, for what it costs.</summary>
    public Flow Execute(Scope scope, MarkedTextBuilder output)
    {
        scope.Rendering.Enter(Line);
        Flow flow = Perform(scope, output);
        scope.Rendering.Leave();
        return flow;
    }

    protected abstract Flow Perform(Scope scope, MarkedTextBuilder output);
}

/// <summary>Statements one after the other.</summary>
sealed record Body(int Line, Statement[] Statements) : Statement(Line)
{
    /// <summary>What the statements write, in a scope of their own.</summary>
    public MarkedText Capture(Scope scope)
    {
        var output = new MarkedTextBuilder();
        Execute(scope, output);
        return scope.Rendering.Charge(output.ToText());
    }

    protected override Flow Perform(Scope scope, MarkedTextBuilder output)
    {
        foreach (Statement statement in Statements)
            if (statement.Execute(scope, output) is var flow and not Flow.Next)
                return flow;
        return Flow.Next;
    }
}

sealed record TextStatement(int Line, MarkedText Text) : Statement(Line)
{
    protected override Flow Perform(Scope scope, MarkedTextBuilder output)
    {
        output.Append(Text);
        return Flow.Next;
    }
}

sealed record PrintStatement(int Line, Expression Value) : Statement(Line)
{
    protected override Flow Perform(Scope scope, MarkedTextBuilder output)
    {
        output.Append(PythonText.Of(Value.Evaluate(scope)));
        return Flow.Next;
    }
}

/// <summary><c>break</c> or <c>continue</c></summary>
sealed record FlowStatement(int Line, Flow Flow) : Statement(Line)
{
    protected override Flow Perform(Scope scope, MarkedTextBuilder output) => Flow;
}

sealed record IfStatement(int Line, (Expression Condition, Body Body)[] Branches, Body? Otherwise) : Statement(Line)
{
    protected override Flow Perform(Scope scope, MarkedTextBuilder output)
    {
        foreach (var (condition, body) in Branches)
            if (Kind.IsTrue(condition.Evaluate(scope)))
                return body.Execute(scope, output);
        return Otherwise?.Execute(scope, output) ?? Flow.Next;
    }
}

/// <summary>A block whose names end with it and that is otherwise as good as its body: <c>generation</c>.</summary>
sealed record ScopeStatement(int Line, Body Body) : Statement(Line)
{
    protected override Flow Perform(Scope scope, MarkedTextBuilder output) => Body.Execute(new Scope(scope), output);
}

/// <summary>Text that a block wrote, to be filtered.</summary>
sealed record CapturedExpression(int Line) : Expression(Line)
{
    /// <summary>The block.</summary>
    public Body Body { get; set; } = new(Line, []);

    protected override object? Compute(Scope scope) => Body.Capture(new Scope(scope));
}
