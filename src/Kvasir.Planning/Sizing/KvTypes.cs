using Kvasir.Formats.Models;

namespace Kvasir.Planning.Sizing;

/// <summary>How keys and values are stored: alike, or each its own way.</summary>
/// <param name="Keys">How elements of keys are stored.</param>
/// <param name="Values">How elements of values are stored.</param>
public sealed record KvTypes(ElementType Keys, ElementType Values)
{
    /// <summary>Both alike.</summary>
    public KvTypes(ElementType both) : this(both, both) { }

    /// <summary>What users read: <c>f16</c>, or <c>q8_0/q4_0</c> where keys and values differ.</summary>
    public string Name => Keys.Name == Values.Name ? Keys.Name : $"{Keys.Name}/{Values.Name}";

    /// <summary>Bytes of an element as a factor: <c>2</c>, <c>34/32</c>, or both where keys and values differ.</summary>
    public string Factor => Keys.Factor == Values.Factor ? Keys.Factor : $"{Keys.Factor} and {Values.Factor}";

    /// <summary>Whether rows of a model's heads are made of whole groups.</summary>
    public bool Holds(ModelSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return spec.Attention.All(layer => layer.KeyDim % Keys.GroupElements == 0 && layer.ValueDim % Values.GroupElements == 0);
    }
}
