using System.Collections.Frozen;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>What texts, lists and dictionaries can do by themselves.</summary>
static class Methods
{
    /// <summary>The value's method of this name; null if there is none.</summary>
    public static ICallable? Find(object? value, string name) => value switch
    {
        MarkedText => Find(Texts.Methods, value, name),
        IReadOnlyList<object?> => Find(Lists.Methods, value, name),
        OrderedDictionary<object, object?> => Find(Dictionaries.Methods, value, name),
        _ => null,
    };

    static ICallable? Find(FrozenDictionary<string, Function> methods, object value, string name) =>
        methods.TryGetValue(name, out Function? method) ? method.Bind(value) : null;
}
