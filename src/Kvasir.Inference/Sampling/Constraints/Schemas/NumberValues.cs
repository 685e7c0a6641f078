using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Json;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>Numbers, within bounds if there are any.</summary>
sealed class NumberValues
{
    readonly List<Keyword> _keywords = [];
    readonly List<NumberBound> _lower = [], _upper = [];
    readonly WorkLimit _work;
    readonly NumberRange _range;

    public NumberValues(WorkLimit work, Conjunction schema)
    {
        _work = work;
        AddBounds(schema, "minimum", _lower);
        AddBounds(schema, "exclusiveMinimum", _lower);
        AddBounds(schema, "maximum", _upper);
        AddBounds(schema, "exclusiveMaximum", _upper);
        foreach (Keyword format in schema.All("format"))
            if (format.Text() == "int32")
                AddBounds(format, int.MinValue, int.MaxValue);
            else if (format.Text() == "int64")
                AddBounds(format, long.MinValue, long.MaxValue);
        _range = new(_lower, _upper);
    }

    public Terminal Make(JsonTypes types)
    {
        return (types & JsonTypes.Number) switch
        {
            JsonTypes.Integer when _range.IsUnbounded => JsonText.Integer,
            JsonTypes.Number when _range.IsUnbounded => JsonText.Number,
            _ => new(Texts(types)),
        };
    }

    /// <summary>Whether there is no such number.</summary>
    public bool IsEmpty(JsonTypes types) => !_range.IsUnbounded && Texts(types).IsEmpty;

    /// <summary>Why there is no such number.</summary>
    public JsonSchemaException NoneIsLeft(JsonTypes types) =>
        Keyword.Contradiction(_keywords, types.HasFlag(JsonTypes.Fraction)
            ? "bounds with a number between them"
            : "bounds with an integer between them");

    /// <summary>Whether a value lies within the bounds.</summary>
    public bool Fits(JsonElement value) =>
        _range.IsUnbounded || (DecimalNumber.From(value) is { } number && _range.Contains(number));

    ByteAutomaton Texts(JsonTypes types)
    {
        try
        {
            return _range.Texts(types, _work);
        }
        catch (GrammarTooLargeException)
        {
            throw _keywords[0].Refused("bounds of fewer digits");
        }
    }

    void AddBounds(Keyword keyword, long least, long most)
    {
        _keywords.Add(keyword);
        _lower.Add(new(DecimalNumber.From(least), false));
        _upper.Add(new(DecimalNumber.From(most), false));
    }

    void AddBounds(Conjunction schema, string name, List<NumberBound> bounds)
    {
        foreach (Keyword keyword in schema.All(name))
        {
            if (keyword.Value.ValueKind != JsonValueKind.Number)
                throw keyword.Refused("a number");
            _keywords.Add(keyword);
            bounds.Add(new(DecimalNumber.From(keyword.Value) ?? throw keyword.Refused($"a number of at most {DecimalNumber.MaxDigits} digits"),
                name.StartsWith("exclusive", StringComparison.Ordinal)));
        }
    }
}
