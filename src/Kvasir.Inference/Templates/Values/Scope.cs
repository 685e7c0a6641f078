namespace Kvasir.Inference.Templates.Values;

/// <summary>The names that a part of a template sees: its own and those around it.</summary>
sealed class Scope(Rendering rendering, Scope? outer)
{
    readonly Dictionary<string, object?> _names = new(StringComparer.Ordinal);

    public Scope(Scope outer) : this(outer.Rendering, outer) { }

    public Rendering Rendering { get; } = rendering;

    public void Set(string name, object? value) => _names[name] = value;

    public object? Find(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Outer)
            if (scope._names.TryGetValue(name, out object? value))
                return value;
        return Undefined.Name(name);
    }

    Scope? Outer { get; } = outer;
}
