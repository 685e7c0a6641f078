using System.Collections.Frozen;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>A function of the language itself: a filter, a test, a method or what a template calls by name.</summary>
sealed class Function : ICallable
{
    readonly string[] _parameters;
    readonly int _required;
    readonly bool _takesMore;
    readonly Func<Call, object?> _body;

    Function(string name, string[] signature, Func<Call, object?> body)
    {
        Name = name;
        _takesMore = signature is [.., "*"];
        _parameters = [.. signature.Where(parameter => parameter != "*").Select(parameter => parameter.Trim('[', ']'))];
        _required = signature.Count(parameter => parameter != "*" && !parameter.StartsWith('['));
        _body = body;
    }

    public string Name { get; }

    /// <summary>
    /// A function with these parameters, such as <c>text [count] *</c>: brackets for what may be left out, a star for any more.
    /// </summary>
    public static Function Of(string name, string parameters, Func<Call, object?> body) =>
        new(name, parameters.Split(' ', StringSplitOptions.RemoveEmptyEntries), body);

    /// <summary>Functions by name, from signatures of a name, or some with bars between them, and its parameters.</summary>
    public static FrozenDictionary<string, Function> Table(params (string Signature, Func<Call, object?> Body)[] functions)
    {
        var byName =
            from function in functions
            let words = function.Signature.Split(' ')
            from name in words[0].Split('|')
            select new Function(name, words[1..], function.Body);
        return byName.ToFrozenDictionary(function => function.Name, StringComparer.Ordinal);
    }

    /// <summary>This function with its first argument given: a method of a value.</summary>
    public ICallable Bind(object? subject) => new Method(this, subject);

    public object? Call(Rendering rendering, Arguments arguments)
    {
        object?[] bound = new object?[_parameters.Length];
        Array.Fill(bound, Library.Call.Missing);
        int positional = Math.Min(bound.Length, arguments.Positional.Length);
        Array.Copy(arguments.Positional, bound, positional);
        (string, object?)[] more = [.. arguments.Named.Where(argument => !TakeNamed(argument.Name, argument.Value, bound))];
        Check(bound, arguments, more);
        var call = new Call(Name, _parameters, bound, new Arguments(arguments.Positional[positional..], more), rendering);
        object? result = _body(call);
        return result is MarkedText ? rendering.Charge(result) : result;
    }

    bool TakeNamed(string name, object? value, object?[] bound)
    {
        int place = Array.IndexOf(_parameters, name);
        if (place < 0 || bound[place] != Library.Call.Missing) return false;
        bound[place] = value;
        return true;
    }

    void Check(object?[] bound, Arguments given, (string Name, object?)[] more)
    {
        for (int i = 0; i < _required; i++)
            if (bound[i] == Library.Call.Missing)
                throw new TemplateException($"{Name}: no argument {_parameters[i]}, expected {Expected}");
        if (_takesMore) return;
        if (more.Length > 0) throw new TemplateException($"{Name}: an argument {more[0].Name}, expected {Expected}");
        if (given.Positional.Length > bound.Length)
            throw new TemplateException($"{Name}: {given.Positional.Length} arguments, expected {Expected}");
    }

    string Expected => _parameters.Length == 0 ? "none" : string.Join(", ", _parameters);

    sealed class Method(Function function, object? subject) : ICallable
    {
        public object? Call(Rendering rendering, Arguments arguments) => function.Call(rendering, arguments.After(subject));
    }
}
