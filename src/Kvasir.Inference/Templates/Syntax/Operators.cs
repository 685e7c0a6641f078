using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Syntax;

sealed record NotExpression(int Line, Expression Operand) : Expression(Line)
{
    protected override object? Compute(Scope scope) => !Kind.IsTrue(Operand.Evaluate(scope));
}

/// <summary>The value that decides: 'a' or 'b' is 'a'.</summary>
sealed record LogicExpression(int Line, Expression Left, Expression Right, bool IsOr) : Expression(Line)
{
    protected override object? Compute(Scope scope)
    {
        object? left = Left.Evaluate(scope);
        return Kind.IsTrue(left) == IsOr ? left : Right.Evaluate(scope);
    }
}

sealed record SignExpression(int Line, string Sign, Expression Operand) : Expression(Line)
{
    protected override object? Compute(Scope scope)
    {
        object? value = Operand.Evaluate(scope);
        return Sign == "-" ? Arithmetic.Negate(value) : Arithmetic.Identity(value);
    }
}

sealed record BinaryExpression(int Line, string Sign, Expression Left, Expression Right) : Expression(Line)
{
    protected override object? Compute(Scope scope)
    {
        object? left = Left.Evaluate(scope), right = Right.Evaluate(scope);
        return scope.Rendering.Charge(Sign switch
        {
            "+" => Arithmetic.Add(left, right),
            "-" => Arithmetic.Subtract(left, right),
            "*" => Arithmetic.Multiply(left, right),
            "/" => Arithmetic.Divide(left, right),
            "//" => Arithmetic.DivideToFloor(left, right),
            "%" => Arithmetic.Modulo(left, right),
            _ => Arithmetic.Power(left, right),
        });
    }
}

/// <summary>Joins what its parts print as.</summary>
sealed record ConcatenationExpression(int Line, Expression[] Parts) : Expression(Line)
{
    protected override object? Compute(Scope scope)
    {
        var text = new MarkedTextBuilder();
        foreach (Expression part in Parts)
            text.Append(PythonText.Of(part.Evaluate(scope)));
        return scope.Rendering.Charge(text.ToText());
    }
}

/// <summary>Comparisons in a chain hold if each one does: a &lt; b &lt; c.</summary>
sealed record ComparisonExpression(int Line, Expression First, (string Sign, Expression Operand)[] Rest) : Expression(Line)
{
    protected override object? Compute(Scope scope)
    {
        object? left = First.Evaluate(scope);
        foreach (var (sign, operand) in Rest)
        {
            object? right = operand.Evaluate(scope);
            if (!Holds(sign, left, right, scope.Rendering)) return false;
            left = right;
        }
        return true;
    }

    static bool Holds(string sign, object? left, object? right, Rendering rendering) => sign switch
    {
        "==" => Comparison.AreEqual(left, right, rendering),
        "!=" => !Comparison.AreEqual(left, right, rendering),
        "in" => Comparison.IsIn(left, right, rendering),
        "not in" => !Comparison.IsIn(left, right, rendering),
        "<" => Comparison.Order(left, right, rendering) < 0,
        "<=" => Comparison.Order(left, right, rendering) <= 0,
        ">" => Comparison.Order(left, right, rendering) > 0,
        _ => Comparison.Order(left, right, rendering) >= 0,
    };
}
