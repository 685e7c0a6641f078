using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kvasir.Cli.Verbs.Simulate.Reports;

/// <summary>What <c>simulate</c> and <c>plan</c> print with <c>--json</c>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(SimulateReport))]
[JsonSerializable(typeof(PlanReport))]
[JsonSerializable(typeof(PolicyReport))]
sealed partial class SimulateJson : JsonSerializerContext
{
    static readonly SimulateJson s_readable = new(Json.Options());

    public static void Write<T>(T report) => Console.Out.WriteLine(JsonSerializer.Serialize(report, typeof(T), s_readable));
}
