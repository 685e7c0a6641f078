using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Json;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>Numbers, within bounds if there are any.</summary>
sealed class NumberValues(WorkLimit work, Conjunction schema)
{
    const int MaxPlaces = 9;

    readonly NumberRange _range = new(
        [.. Bounds(schema, "minimum", -1).Select(bound => (bound, false)),
            .. Bounds(schema, "exclusiveMinimum", -1).Select(bound => (bound, true))],
        [.. Bounds(schema, "maximum", 1).Select(bound => (bound, false)),
            .. Bounds(schema, "exclusiveMaximum", 1).Select(bound => (bound, true))]);

    public Terminal Make(JsonTypes types)
    {
        bool isInteger = !types.HasFlag(JsonTypes.Fraction);
        if (_range.IsUnbounded)
            return isInteger ? JsonText.Integer : JsonText.Number;
        return new(JsonText.Automaton(isInteger ? _range.Integers() : _range.Numbers(), work));
    }

    /// <summary>Whether a value lies within the bounds.</summary>
    public bool Fits(JsonElement value) => _range.IsUnbounded || (value.TryGetDecimal(out decimal number) && _range.Contains(number));

    /// <summary>The bounds of one keyword. Those beyond all numbers on their side bound nothing.</summary>
    static IEnumerable<decimal> Bounds(Conjunction schema, string name, int side)
    {
        foreach (Keyword keyword in schema.All(name))
        {
            if (keyword.Value.ValueKind != JsonValueKind.Number)
                throw keyword.Refused("a number");
            bool isDecimal = keyword.Value.TryGetDecimal(out decimal bound);
            if (isDecimal && (bound /= 1.0000000000000000000000000000m).Scale > MaxPlaces)
                throw keyword.Refused($"at most {MaxPlaces} decimal places");
            if (isDecimal)
                yield return bound;
            else if (Math.Sign(keyword.Value.GetDouble()) != side)
                throw keyword.Refused("a number of at most 28 digits");
        }
    }
}
