using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>The arguments of a function at work. Whoever takes a text or list to walk through it pays for it here.</summary>
sealed class Call(string function, string[] parameters, object?[] bound, Arguments more, Rendering rendering)
{
    /// <summary>What stands in the place of an argument that was not given.</summary>
    public static readonly object Missing = new();

    public Rendering Rendering => rendering;

    /// <summary>Arguments after those that have a name, where the function takes any number.</summary>
    public object?[] Rest => more.Positional;

    /// <summary>The arguments for a function that another one applies to its items: those from a place in <see cref="Rest"/> on.</summary>
    public Arguments RestFrom(int place) => new(more.Positional[Math.Min(place, more.Positional.Length)..], more.Named);

    public (string Name, object? Value)[] Named => more.Named;

    /// <summary>The argument; none where it was not given.</summary>
    public object? this[int i] => bound[i] == Missing ? null : bound[i];

    public bool Has(int i) => bound[i] != Missing;

    public MarkedText Text(int i) => this[i] is MarkedText text ? rendering.Charge(text) : throw Wrong(i, "text");

    public MarkedText? OptionalText(int i) => this[i] is null ? null : Text(i);

    public long Integer(int i, long unsaid) => !Has(i) ? unsaid : Numbers.Integer(this[i]) ?? throw Wrong(i, "an integer");

    public long? OptionalInteger(int i) => this[i] is null ? null : Integer(i, 0);

    public bool Flag(int i, bool unsaid = false) => Has(i) ? Kind.IsTrue(this[i]) : unsaid;

    public IReadOnlyList<object?> Items(int i) => Sequences.Items(this[i], rendering, Place(i));

    public OrderedDictionary<object, object?> Dictionary(int i)
    {
        if (this[i] is not OrderedDictionary<object, object?> dictionary) throw Wrong(i, "a dictionary");
        rendering.Spend(dictionary.Count);
        return dictionary;
    }

    public TemplateException Wrong(int i, string expected) => Kind.Wrong(Place(i), this[i], expected);

    string Place(int i) => i == 0 ? function : $"{function}: {parameters[i]}";
}
