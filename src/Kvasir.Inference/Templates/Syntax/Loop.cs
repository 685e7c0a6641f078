using Kvasir.Inference.Templates.Library;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Syntax;

/// <summary>The <c>loop</c> that a loop's body sees.</summary>
sealed class Loop(IReadOnlyList<object?> items, Rendering rendering) : IMembers
{
    int _index = -1;
    object?[]? _last;

    public object? Current => items[_index];

    public bool MoveNext() => ++_index < items.Count;

    public object? Member(string name) => name switch
    {
        "index" => _index + 1L,
        "index0" => (long)_index,
        "revindex" => (long)(items.Count - _index),
        "revindex0" => items.Count - _index - 1L,
        "first" => _index == 0,
        "last" => _index == items.Count - 1,
        "length" => (long)items.Count,
        "previtem" => _index > 0 ? items[_index - 1] : new Undefined("there is no previous item"),
        "nextitem" => _index + 1 < items.Count ? items[_index + 1] : new Undefined("there is no next item"),
        "depth" => 1L,
        "depth0" => 0L,
        "cycle" => Function.Of("cycle", "*", call => Cycle(call.Rest)),
        "changed" => Function.Of("changed", "*", call => HasChanged(call.Rest)),
        _ => Undefined.Member(this, name),
    };

    object? Cycle(object?[] values) =>
        values.Length > 0 ? values[_index % values.Length] : throw new TemplateException("cycle: no values, expected some");

    bool HasChanged(object?[] values)
    {
        bool changed = _last is null || !Comparison.AreEqual(_last, values, rendering);
        _last = values;
        return changed;
    }
}
