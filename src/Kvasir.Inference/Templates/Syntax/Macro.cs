using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Syntax;

/// <summary>What a macro's parentheses name; those without a default are undefined where nothing is passed.</summary>
sealed record Parameter(string Name, Expression? Default);

/// <summary><c>macro name(parameters) … endmacro</c></summary>
sealed record MacroStatement(int Line, string Name, Parameter[] Parameters, Body Body) : Statement(Line)
{
    protected override Flow Perform(Scope scope, MarkedTextBuilder output)
    {
        scope.Set(Name, new Macro(Name, Parameters, Body, scope));
        return Flow.Next;
    }
}

/// <summary><c>call(parameters) macro(…) … endcall</c>: the macro calls the body by the name <c>caller</c>.</summary>
sealed record CallStatement(int Line, Parameter[] Parameters, CallExpression Call, Body Body) : Statement(Line)
{
    protected override Flow Perform(Scope scope, MarkedTextBuilder output)
    {
        if (Call.Callee.Evaluate(scope) is not Macro macro) throw new TemplateException("a call block without a macro, expected one");
        Arguments arguments = Call.Arguments.Evaluate(scope);
        output.Append(macro.Call(scope.Rendering, arguments, new Macro("caller", Parameters, Body, scope)));
        return Flow.Next;
    }
}

/// <summary>A macro and the scope that it was defined in.</summary>
sealed class Macro(string name, Parameter[] parameters, Body body, Scope home) : ICallable
{
    public object? Call(Rendering rendering, Arguments arguments) => Call(rendering, arguments, caller: null);

    public MarkedText Call(Rendering rendering, Arguments arguments, Macro? caller)
    {
        var scope = new Scope(home);
        if (caller is not null) scope.Set("caller", caller);
        CheckNames(arguments);
        for (int i = 0; i < parameters.Length; i++)
            scope.Set(parameters[i].Name, Passed(i, arguments, scope));
        return body.Capture(scope);
    }

    object? Passed(int i, Arguments arguments, Scope scope)
    {
        string parameter = parameters[i].Name;
        if (i < arguments.Positional.Length) return arguments.Positional[i];
        foreach (var (given, value) in arguments.Named)
            if (given == parameter)
                return value;
        return parameters[i].Default is { } unsaid ? unsaid.Evaluate(scope) : Undefined.Name(parameter);
    }

    void CheckNames(Arguments arguments)
    {
        if (arguments.Positional.Length > parameters.Length)
            throw new TemplateException($"{name}: {arguments.Positional.Length} arguments, expected {parameters.Length} at most");
        foreach (var (given, _) in arguments.Named)
            if (!parameters.Skip(arguments.Positional.Length).Any(parameter => parameter.Name == given))
                throw new TemplateException($"{name}: an argument {given}, expected {Expected}");
    }

    string Expected => parameters.Length == 0 ? "none" : string.Join(", ", parameters.Select(parameter => parameter.Name));
}
