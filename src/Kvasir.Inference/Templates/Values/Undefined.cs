namespace Kvasir.Inference.Templates.Values;

/// <summary>
/// What a name or attribute that does not exist yields: it prints as nothing, and doing anything else with it is an error.
/// </summary>
sealed record Undefined(string Why)
{
    public static Undefined Name(string name) => new($"'{name}' is undefined");

    public static Undefined Member(object? owner, object? name) => new(owner is Undefined gone
        ? gone.Why
        : $"{Kind.Of(owner)} has no member {Formats.Printable.Quote(name is MarkedText text ? text.Text : $"{name}")}");
}
