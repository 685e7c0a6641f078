using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Syntax;

/// <summary><c>set target = value</c>, or <c>set target … endset</c> with a block's text as the value.</summary>
sealed record SetStatement(int Line, Target Target, Expression Value) : Statement(Line)
{
    protected override Flow Perform(Scope scope, MarkedTextBuilder output)
    {
        Target.Assign(Value.Evaluate(scope), scope);
        return Flow.Next;
    }
}
