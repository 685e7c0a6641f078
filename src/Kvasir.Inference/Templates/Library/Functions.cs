using System.Collections.Frozen;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>What a template calls by its bare name.</summary>
static class Functions
{
    static readonly FrozenDictionary<string, Function> s_functions = Function.Table(
        ("raise_exception message", call => throw new TemplateException(PythonText.Of(call[0]).Text, raisedByTemplate: true)),
        ("strftime_now format", call => Now(call.Text(0), call.Rendering.Time)),
        ("namespace *", call => MakeNamespace(call)),
        ("dict *", call => MakeDictionary(call)),
        ("range start [stop] [step]", call => Range(call)),
        ("joiner [separator]", call => Joiner(call)),
        ("cycler *", call => new Cycler(call.Rest)));

    /// <summary>The outermost scope.</summary>
    public static Scope In(Rendering rendering)
    {
        var scope = new Scope(rendering, null);
        foreach (Function function in s_functions.Values)
            scope.Set(function.Name, function);
        return scope;
    }

    static MarkedText Now(MarkedText format, TimeProvider time) =>
        MarkedText.Of(TimeFormat.Format(time.GetLocalNow(), format.Text), format.HasInput);

    static Namespace MakeNamespace(Call call)
    {
        var made = new Namespace();
        foreach (var (name, value) in MakeDictionary(call))
            made.Set(PythonText.Of(name).Text, value);
        return made;
    }

    /// <summary>From dictionaries, pairs and named arguments.</summary>
    static OrderedDictionary<object, object?> MakeDictionary(Call call)
    {
        var made = KeyComparer.NewDictionary();
        foreach (object? source in call.Rest)
            Dictionaries.Add(made, source, call);
        foreach (var (name, value) in call.Named)
            made[MarkedText.Template(name)] = value;
        return made;
    }

    static List<object?> Range(Call call)
    {
        long start = call.Has(1) ? call.Integer(0, 0) : 0, stop = call.Integer(call.Has(1) ? 1 : 0, 0), step = call.Integer(2, 1);
        if (step == 0) throw new TemplateException("range: a step of 0, expected another");
        Int128 count = step > 0 ? ((Int128)stop - start + step - 1) / step : ((Int128)start - stop - step - 1) / -(Int128)step;
        if (count > Limits.Range) throw new TemplateException($"range: {count} numbers, expected {Limits.Range} at most");
        call.Rendering.SpendParts((long)Int128.Max(0, count));
        List<object?> numbers = [];
        for (long i = 0; i < count; i++) numbers.Add(start + i * step);
        return numbers;
    }

    /// <summary>A function that yields the separator each time but the first.</summary>
    static Function Joiner(Call call)
    {
        object? separator = call.Has(0) ? call[0] : MarkedText.Template(", ");
        bool isUsed = false;
        return Function.Of("joiner", "", _ =>
        {
            object? now = isUsed ? separator : MarkedText.Empty;
            isUsed = true;
            return now;
        });
    }

    sealed class Cycler : IMembers
    {
        readonly object?[] _values;
        int _next;

        public Cycler(object?[] values) => _values = values.Length > 0
            ? values
            : throw new TemplateException("cycler: no values, expected some");

        public object? Member(string name) => name switch
        {
            "current" => _values[_next],
            "next" => Function.Of("next", "", _ => Next()),
            "reset" => Function.Of("reset", "", _ => Reset()),
            _ => Undefined.Member(this, name),
        };

        object? Reset()
        {
            _next = 0;
            return null;
        }

        object? Next()
        {
            object? value = _values[_next];
            _next = (_next + 1) % _values.Length;
            return value;
        }
    }
}
