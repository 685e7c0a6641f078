using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Syntax;

/// <summary>Reads a whole template.</summary>
sealed class StatementParser
{
    const string Tags = "for, if, set, macro, call, filter, generation, break or continue";

    readonly LexemeReader _reader;
    readonly ExpressionParser _expressions;
    int _loops;

    StatementParser(LexemeReader reader) => (_reader, _expressions) = (reader, new ExpressionParser(reader));

    /// <exception cref="TemplateException">The source is too long or not well formed.</exception>
    public static Body Read(string source)
    {
        if (source.Length > Limits.Source)
            throw new TemplateException($"line 1: a template of {source.Length} characters, expected {Limits.Source} at most");
        var parser = new StatementParser(new LexemeReader(Lexer.Read(source)));
        Body body = parser.ReadBody();
        return parser._reader.Next.Kind == LexemeKind.End ? body : throw parser._reader.Unexpected(Tags);
    }

    /// <summary>Statements up to a tag that none begins with, whose <c>{%</c> is taken; that tag is for whoever opened the block.</summary>
    Body ReadBody()
    {
        int line = _reader.Line;
        List<Statement> statements = [];
        while (ReadStatement() is { } statement)
            statements.Add(statement);
        return new Body(line, [.. statements]);
    }

    Statement? ReadStatement()
    {
        Lexeme lexeme = _reader.Take();
        switch (lexeme.Kind)
        {
            case LexemeKind.Text:
                return new TextStatement(lexeme.Line, MarkedText.Template(lexeme.Text));
            case LexemeKind.BeginPrint:
                Expression value = _expressions.ReadTuple();
                _reader.Expect(LexemeKind.EndPrint, "'}}'");
                return new PrintStatement(lexeme.Line, value);
            case LexemeKind.BeginBlock:
                return _reader.Inside(() => ReadBlock(lexeme.Line));
            default:
                return null;
        }
    }

    Statement? ReadBlock(int line)
    {
        if (_reader.TakeName("for")) return ReadFor(line);
        if (_reader.TakeName("if")) return ReadIf(line);
        if (_reader.TakeName("set")) return ReadSet(line);
        if (_reader.TakeName("macro")) return ReadMacro(line);
        if (_reader.TakeName("call")) return ReadCall(line);
        if (_reader.TakeName("filter")) return ReadFilter(line);
        if (_reader.TakeName("generation")) return new ScopeStatement(line, ReadBlockBody("endgeneration"));
        if (_reader.IsName("break") || _reader.IsName("continue")) return ReadFlow(line);
        return null;
    }

    ForStatement ReadFor(int line)
    {
        Target target = ReadTarget();
        if (!_reader.TakeName("in")) throw _reader.Unexpected("'in'");
        Expression items = _expressions.ReadUnconditionalTuple();
        Expression? condition = _reader.TakeName("if") ? _expressions.Read() : null;
        EndTag();
        _loops++;
        Body body = ReadBody();
        _loops--;
        Body? otherwise = ReadElse();
        End("endfor", "'else' or 'endfor'");
        return new ForStatement(line, target, items, condition, body, otherwise);
    }

    IfStatement ReadIf(int line)
    {
        List<(Expression, Body)> branches = [ReadBranch()];
        while (_reader.TakeName("elif"))
            branches.Add(ReadBranch());
        Body? otherwise = ReadElse();
        End("endif", "'elif', 'else' or 'endif'");
        return new IfStatement(line, [.. branches], otherwise);
    }

    (Expression Condition, Body Body) ReadBranch()
    {
        Expression condition = _expressions.ReadTuple();
        EndTag();
        return (condition, ReadBody());
    }

    Body? ReadElse()
    {
        if (!_reader.TakeName("else")) return null;
        EndTag();
        return ReadBody();
    }

    SetStatement ReadSet(int line)
    {
        Target target = ReadTarget();
        if (_reader.TakeOperator("="))
        {
            Expression value = _expressions.ReadTuple();
            EndTag();
            return new SetStatement(line, target, value);
        }
        return new SetStatement(line, target, ReadCaptured(line, "endset", _expressions.ReadFilters));
    }

    MacroStatement ReadMacro(int line)
    {
        string name = _reader.Expect(LexemeKind.Name, "a macro's name").Text;
        if (!_reader.IsOperator("(")) throw _reader.Unexpected("'('");
        return new MacroStatement(line, name, ReadParameters(), ReadFunctionBody("endmacro"));
    }

    CallStatement ReadCall(int line)
    {
        Parameter[] parameters = ReadParameters();
        if (_expressions.Read() is not CallExpression call) throw _reader.Unexpected("a call of a macro");
        return new CallStatement(line, parameters, call, ReadFunctionBody("endcall"));
    }

    PrintStatement ReadFilter(int line) => new(line, ReadCaptured(line, "endfilter", captured =>
        _expressions.ReadFilters(_expressions.ReadFilter(captured))));

    /// <summary>
    /// A block's text behind filters. They stand in its opening tag, so they are read before there is a body to apply them to.
    /// </summary>
    Expression ReadCaptured(int line, string end, Func<Expression, Expression> readFilters)
    {
        var captured = new CapturedExpression(line);
        Expression filtered = readFilters(captured);
        captured.Body = ReadFunctionBody(end);
        return filtered;
    }

    FlowStatement ReadFlow(int line)
    {
        if (_loops == 0) throw _reader.Unexpected("it within a loop only");
        Flow flow = _reader.Take().Text == "break" ? Flow.Break : Flow.Continue;
        EndTag();
        return new FlowStatement(line, flow);
    }

    /// <summary>A body out of which no <c>break</c> leads.</summary>
    Body ReadFunctionBody(string end)
    {
        (int loops, _loops) = (_loops, 0);
        Body body = ReadBlockBody(end);
        _loops = loops;
        return body;
    }

    Body ReadBlockBody(string end)
    {
        EndTag();
        Body body = ReadBody();
        End(end, $"'{end}'");
        return body;
    }

    Parameter[] ReadParameters()
    {
        List<Parameter> parameters = [];
        if (!_reader.TakeOperator("(")) return [];
        while (!_reader.TakeOperator(")"))
        {
            if (parameters.Count > 0) _reader.ExpectOperator(",");
            if (_reader.TakeOperator(")")) break;
            string name = _reader.Expect(LexemeKind.Name, "a parameter's name").Text;
            parameters.Add(new Parameter(name, _reader.TakeOperator("=") ? _expressions.Read() : null));
        }
        return [.. parameters];
    }

    Target ReadTarget()
    {
        List<Target> targets = [ReadSingleTarget()];
        if (!_reader.IsOperator(",")) return targets[0];
        while (_reader.TakeOperator(",") && !_reader.IsName("in") && !_reader.IsOperator("=") && !_reader.IsOperator(")"))
            targets.Add(ReadSingleTarget());
        return new TupleTarget([.. targets]);
    }

    Target ReadSingleTarget()
    {
        if (_reader.TakeOperator("("))
        {
            Target inner = _reader.Inside(ReadTarget);
            _reader.ExpectOperator(")");
            return inner;
        }
        string name = _reader.Expect(LexemeKind.Name, "a name").Text;
        return _reader.TakeOperator(".")
            ? new MemberTarget(name, _reader.Expect(LexemeKind.Name, "a name after the dot").Text)
            : new NameTarget(name);
    }

    void End(string name, string expected)
    {
        if (!_reader.TakeName(name)) throw _reader.Unexpected(expected);
        EndTag();
    }

    void EndTag() => _reader.Expect(LexemeKind.EndBlock, "'%}'");
}
