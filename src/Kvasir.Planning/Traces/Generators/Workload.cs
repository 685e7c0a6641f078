using System.Globalization;
using Kvasir.Formats;

namespace Kvasir.Planning.Traces.Generators;

/// <summary>A kind of work.</summary>
public sealed class Workload
{
    internal Workload(string name, string description, IReadOnlyList<WorkloadParameter> parameters,
        Action<WorkloadSettings, RequestList> generate) =>
        (Name, Description, Parameters, Generate) = (name, description, parameters, generate);

    /// <summary>Name as users type it.</summary>
    public string Name { get; }

    /// <summary>What it is like, in a line.</summary>
    public string Description { get; }

    /// <summary>What can be set.</summary>
    public IReadOnlyList<WorkloadParameter> Parameters { get; }

    internal Action<WorkloadSettings, RequestList> Generate { get; }
}

/// <summary>Something that can be set.</summary>
/// <param name="Name">Name as users type it.</param>
/// <param name="Default">Value unless it is given.</param>
/// <param name="Least">Least value.</param>
/// <param name="Most">Greatest value.</param>
/// <param name="Description">What it is, with its unit.</param>
/// <param name="IsWhole">Whether only whole numbers make sense.</param>
public sealed record WorkloadParameter(string Name, double Default, double Least, double Most, string Description, bool IsWhole = true)
{
    internal double Parse(string workload, string text)
    {
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) && value >= Least
            && value <= Most && (!IsWhole || value == Math.Floor(value)))
            return value;
        throw new ArgumentException(FormattableString.Invariant(
            $"{workload}: {Name} {Printable.Quote(text)}: expected a {(IsWhole ? "whole " : "")}number from {Least} to {Most}"));
    }
}

/// <summary>The values of a kind's parameters.</summary>
sealed class WorkloadSettings(IReadOnlyDictionary<string, double> values)
{
    public double this[string name] => values[name];

    public int Whole(string name) => (int)values[name];

    /// <summary>Random numbers from the parameter <c>seed</c>.</summary>
    public RandomDraws Draws() => new(Whole("seed"));
}
