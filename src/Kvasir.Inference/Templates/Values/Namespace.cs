namespace Kvasir.Inference.Templates.Values;

/// <summary>What <c>namespace()</c> makes: the one thing whose members a template may set from within a loop.</summary>
sealed class Namespace : IMembers
{
    readonly Dictionary<string, object?> _members = new(StringComparer.Ordinal);

    public object? Member(string name) => _members.TryGetValue(name, out object? value) ? value : Undefined.Member(this, name);

    public void Set(string name, object? value) => _members[name] = value;
}
