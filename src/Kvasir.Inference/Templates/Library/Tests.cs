using System.Collections.Frozen;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>What stands behind <c>is</c>.</summary>
static class Tests
{
    static readonly FrozenDictionary<string, Function> s_tests = Function.Table(
        ("defined value", call => call[0] is not Undefined),
        ("undefined value", call => call[0] is Undefined),
        ("none value", call => call[0] is null),
        ("string value", call => call[0] is MarkedText),
        ("number value", call => Numbers.IsNumber(call[0])),
        ("integer value", call => call[0] is long),
        ("float value", call => call[0] is double),
        ("boolean value", call => call[0] is bool),
        ("true value", call => call[0] is true),
        ("false value", call => call[0] is false),
        ("mapping value", call => call[0] is OrderedDictionary<object, object?>),
        ("iterable|sequence value", call => Sequences.Length(call[0]) is not null),
        ("callable value", call => call[0] is ICallable),
        ("even value", call => Numbers.Compare(Arithmetic.Modulo(call[0], 2L), 0L) == 0),
        ("odd value", call => Numbers.Compare(Arithmetic.Modulo(call[0], 2L), 1L) == 0),
        ("divisibleby value divisor", call => Arithmetic.Modulo(call[0], call[1]) is 0L or 0.0),
        ("upper value", call => PythonText.Of(call[0]).Text is var text && text.Any(char.IsUpper) && !text.Any(char.IsLower)),
        ("lower value", call => PythonText.Of(call[0]).Text is var text && text.Any(char.IsLower) && !text.Any(char.IsUpper)),
        ("eq|equalto|== value other", call => Comparison.AreEqual(call[0], call[1], call.Rendering)),
        ("ne|!= value other", call => !Comparison.AreEqual(call[0], call[1], call.Rendering)),
        ("lt|lessthan|< value other", call => Comparison.Order(call[0], call[1], call.Rendering) < 0),
        ("le|<= value other", call => Comparison.Order(call[0], call[1], call.Rendering) <= 0),
        ("gt|greaterthan|> value other", call => Comparison.Order(call[0], call[1], call.Rendering) > 0),
        ("ge|>= value other", call => Comparison.Order(call[0], call[1], call.Rendering) >= 0),
        ("in value container", call => Comparison.IsIn(call[0], call[1], call.Rendering)),
        ("sameas value other", call => call[0]?.GetType() == call[1]?.GetType()
            && (call[0] is bool or null ? Equals(call[0], call[1]) : ReferenceEquals(call[0], call[1]))));

    /// <exception cref="TemplateException">There is no such test.</exception>
    public static Function Find(string name) => s_tests.TryGetValue(name, out Function? test)
        ? test
        : throw new TemplateException($"a test {Formats.Printable.Quote(name)}, expected one that is known");
}
