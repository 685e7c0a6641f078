using System.Globalization;
using System.Text;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Syntax;

/// <summary>Reads expressions, from what binds loosest to what binds tightest, as Jinja's own grammar has it.</summary>
sealed class ExpressionParser(LexemeReader reader)
{
    static readonly string[] s_comparisons = ["==", "!=", "<", "<=", ">", ">="];

    static readonly string[] s_afterTest = ["else", "or", "and", "is", "if", "in", "not"];

    /// <summary>One expression, or a tuple of some with commas between them.</summary>
    public Expression ReadTuple() => ReadTuple(Read);

    /// <summary>The same without conditional expressions: what a loop walks through, before its own 'if'.</summary>
    public Expression ReadUnconditionalTuple() => ReadTuple(() => reader.Inside(ReadOr));

    public Expression Read() => reader.Inside(ReadConditional);

    /// <summary>The arguments after a name, up to and including the closing parenthesis; none where no parenthesis opens.</summary>
    public ArgumentList ReadArguments()
    {
        List<Expression> positional = [];
        List<(string, Expression)> named = [];
        if (!reader.TakeOperator("(")) return new ArgumentList([], []);
        while (!reader.TakeOperator(")"))
        {
            if (positional.Count + named.Count > 0) reader.ExpectOperator(",");
            if (reader.TakeOperator(")")) break;
            ReadArgument(positional, named);
        }
        return new ArgumentList([.. positional], [.. named]);
    }

    /// <summary>Filters behind an expression that was read already, or behind a block's tag.</summary>
    public Expression ReadFilters(Expression subject)
    {
        while (reader.TakeOperator("|"))
            subject = ReadFilter(subject);
        return subject;
    }

    public Expression ReadFilter(Expression subject)
    {
        int line = reader.Line;
        string name = reader.Expect(LexemeKind.Name, "a filter's name").Text;
        return new FilterExpression(line, subject, name, ReadArguments());
    }

    Expression ReadTuple(Func<Expression> read)
    {
        int line = reader.Line;
        List<Expression> items = [read()];
        if (!reader.IsOperator(",")) return items[0];
        while (reader.TakeOperator(",") && StartsExpression())
            items.Add(read());
        return new ListExpression(line, [.. items], IsTuple: true);
    }

    bool StartsExpression() => reader.Next.Kind is not (LexemeKind.EndBlock or LexemeKind.EndPrint or LexemeKind.End)
        && !reader.IsOperator(")") && !reader.IsOperator("=");

    void ReadArgument(List<Expression> positional, List<(string, Expression)> named)
    {
        Expression argument = Read();
        if (reader.IsOperator("=") && argument is NameExpression name)
        {
            reader.Take();
            named.Add((name.Name, Read()));
        }
        else if (named.Count > 0) throw reader.Fail("an argument without a name after one with a name", "names from there on");
        else positional.Add(argument);
    }

    Expression ReadConditional()
    {
        int line = reader.Line;
        Expression value = ReadOr();
        while (reader.TakeName("if"))
        {
            Expression condition = ReadOr();
            Expression? otherwise = reader.TakeName("else") ? Read() : null;
            value = new ConditionalExpression(line, condition, value, otherwise);
        }
        return value;
    }

    Expression ReadOr()
    {
        int line = reader.Line;
        Expression left = ReadAnd();
        while (reader.TakeName("or")) left = new LogicExpression(line, left, ReadAnd(), IsOr: true);
        return left;
    }

    Expression ReadAnd()
    {
        int line = reader.Line;
        Expression left = ReadNot();
        while (reader.TakeName("and")) left = new LogicExpression(line, left, ReadNot(), IsOr: false);
        return left;
    }

    Expression ReadNot()
    {
        int line = reader.Line;
        return reader.TakeName("not") ? new NotExpression(line, reader.Inside(ReadNot)) : ReadComparison();
    }

    Expression ReadComparison()
    {
        int line = reader.Line;
        Expression first = ReadSum();
        List<(string, Expression)> rest = [];
        while (TakeComparison() is { } sign)
            rest.Add((sign, ReadSum()));
        return rest.Count == 0 ? first : new ComparisonExpression(line, first, [.. rest]);
    }

    string? TakeComparison()
    {
        if (reader.Next.Kind == LexemeKind.Operator && s_comparisons.Contains(reader.Next.Text)) return reader.Take().Text;
        if (reader.TakeName("in")) return "in";
        if (!reader.IsName("not") || !reader.IsSecondName("in")) return null;
        reader.Take();
        reader.Take();
        return "not in";
    }

    Expression ReadSum() => ReadBinary(ReadConcatenation, "+", "-");

    Expression ReadConcatenation()
    {
        int line = reader.Line;
        List<Expression> parts = [ReadProduct()];
        while (reader.TakeOperator("~")) parts.Add(ReadProduct());
        return parts.Count == 1 ? parts[0] : new ConcatenationExpression(line, [.. parts]);
    }

    Expression ReadProduct() => ReadBinary(ReadPower, "*", "/", "//", "%");

    Expression ReadPower() => ReadBinary(() => ReadUnary(), "**");

    Expression ReadBinary(Func<Expression> readOperand, params ReadOnlySpan<string> signs)
    {
        int line = reader.Line;
        Expression left = readOperand();
        while (reader.Next.Kind == LexemeKind.Operator && signs.Contains(reader.Next.Text))
            left = new BinaryExpression(line, reader.Take().Text, left, readOperand());
        return left;
    }

    /// <summary>A sign binds tighter than a filter behind its operand: -1|abs is 1.</summary>
    Expression ReadUnary(bool withFilters = true)
    {
        int line = reader.Line;
        Expression value = reader.IsOperator("-") || reader.IsOperator("+")
            ? new SignExpression(line, reader.Take().Text, reader.Inside(() => ReadUnary(withFilters: false)))
            : ReadPrimary();
        value = ReadMembers(value);
        return withFilters ? ReadFiltersAndTests(value) : value;
    }

    Expression ReadFiltersAndTests(Expression value)
    {
        while (true)
        {
            if (reader.TakeOperator("|")) value = ReadFilter(value);
            else if (reader.TakeName("is")) value = ReadTest(value);
            else if (reader.IsOperator("(")) value = new CallExpression(reader.Line, value, ReadArguments());
            else return value;
        }
    }

    Expression ReadTest(Expression subject)
    {
        int line = reader.Line;
        bool isNegated = reader.TakeName("not");
        string name = reader.Expect(LexemeKind.Name, "a test's name").Text;
        ArgumentList arguments = !reader.IsOperator("(") && StartsTestArgument()
            ? new ArgumentList([ReadMembers(ReadPrimary())], [])
            : ReadArguments();
        Expression test = new TestExpression(line, subject, name, arguments);
        return isNegated ? new NotExpression(line, test) : test;
    }

    bool StartsTestArgument() => reader.Next.Kind switch
    {
        LexemeKind.Name => !s_afterTest.Contains(reader.Next.Text),
        LexemeKind.TextLiteral or LexemeKind.Integer or LexemeKind.Float => true,
        _ => reader.IsOperator("[") || reader.IsOperator("{"),
    };

    Expression ReadMembers(Expression value)
    {
        while (true)
        {
            int line = reader.Line;
            if (reader.TakeOperator(".")) value = ReadAttribute(line, value);
            else if (reader.TakeOperator("[")) value = ReadSubscript(line, value);
            else if (reader.IsOperator("(")) value = new CallExpression(line, value, ReadArguments());
            else return value;
        }
    }

    Expression ReadAttribute(int line, Expression value) => reader.Next.Kind == LexemeKind.Integer
        ? new ItemExpression(line, value, ReadPrimary())
        : new AttributeExpression(line, value, reader.Expect(LexemeKind.Name, "a name after the dot").Text);

    Expression ReadSubscript(int line, Expression value)
    {
        Expression? start = reader.IsOperator(":") ? null : Read();
        bool isSlice = reader.TakeOperator(":");
        Expression? stop = isSlice ? ReadBound() : null;
        Expression? step = isSlice && reader.TakeOperator(":") ? ReadBound() : null;
        reader.ExpectOperator("]");
        return isSlice ? new SliceExpression(line, value, start, stop, step) : new ItemExpression(line, value, start!);
    }

    Expression? ReadBound() => reader.IsOperator(":") || reader.IsOperator("]") ? null : Read();

    Expression ReadPrimary()
    {
        Lexeme lexeme = reader.Next;
        switch (lexeme.Kind)
        {
            case LexemeKind.Name: return ReadName(reader.Take());
            case LexemeKind.TextLiteral: return ReadText();
            case LexemeKind.Integer: return new LiteralExpression(lexeme.Line, ReadInteger());
            case LexemeKind.Float:
                string digits = reader.Take().Text.Replace("_", "", StringComparison.Ordinal);
                return new LiteralExpression(lexeme.Line, double.Parse(digits, CultureInfo.InvariantCulture));
        }
        if (reader.TakeOperator("(")) return ReadParentheses(lexeme.Line);
        if (reader.TakeOperator("[")) return new ListExpression(lexeme.Line, ReadItems("]", Read), IsTuple: false);
        if (reader.TakeOperator("{")) return new DictionaryExpression(lexeme.Line, ReadItems("}", ReadEntry));
        throw reader.Unexpected("an expression");
    }

    static Expression ReadName(Lexeme name) => name.Text switch
    {
        "true" or "True" => new LiteralExpression(name.Line, true),
        "false" or "False" => new LiteralExpression(name.Line, false),
        "none" or "None" => new LiteralExpression(name.Line, null),
        _ => new NameExpression(name.Line, name.Text),
    };

    /// <summary>Text literals that stand side by side are one.</summary>
    LiteralExpression ReadText()
    {
        int line = reader.Line;
        var text = new StringBuilder();
        while (reader.Next.Kind == LexemeKind.TextLiteral) text.Append(reader.Take().Text);
        return new LiteralExpression(line, MarkedText.Template(text.ToString()));
    }

    long ReadInteger() => long.TryParse(
        reader.Next.Text.Replace("_", "", StringComparison.Ordinal), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
        ? reader.Take() is var _ ? number : 0
        : throw reader.Unexpected("an integer of 64 bits at most");

    Expression ReadParentheses(int line)
    {
        if (reader.TakeOperator(")")) return new ListExpression(line, [], IsTuple: true);
        Expression inner = ReadTuple();
        reader.ExpectOperator(")");
        return inner;
    }

    T[] ReadItems<T>(string end, Func<T> read)
    {
        List<T> items = [];
        while (!reader.TakeOperator(end))
        {
            if (items.Count > 0) reader.ExpectOperator(",");
            if (reader.TakeOperator(end)) break;
            items.Add(read());
        }
        return [.. items];
    }

    (Expression Key, Expression Value) ReadEntry()
    {
        Expression key = Read();
        reader.ExpectOperator(":");
        return (key, Read());
    }
}
