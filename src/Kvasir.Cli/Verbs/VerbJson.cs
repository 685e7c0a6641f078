using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kvasir.Cli.Verbs;

/// <summary>What the verbs print with <c>--json</c>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(RunReport))]
[JsonSerializable(typeof(ShowReport))]
[JsonSerializable(typeof(TokenizeReport))]
[JsonSerializable(typeof(QuantizeReport))]
[JsonSerializable(typeof(SampleReport))]
[JsonSerializable(typeof(SynthReport))]
[JsonSerializable(typeof(BenchReport))]
[JsonSerializable(typeof(KvBenchReport))]
[JsonSerializable(typeof(ServeBenchReport))]
[JsonSerializable(typeof(LimitsReport))]
[JsonSerializable(typeof(EstimateReport))]
[JsonSerializable(typeof(EvalReport))]
[JsonSerializable(typeof(PerplexityReport))]
[JsonSerializable(typeof(ConfigReport))]
[JsonSerializable(typeof(ServeStart))]
[JsonSerializable(typeof(ServeEvent))]
[JsonSerializable(typeof(StoreStart))]
[JsonSerializable(typeof(RouteStart))]
[JsonSerializable(typeof(RouteNote))]
[JsonSerializable(typeof(ModelLimitsReport))]
[JsonSerializable(typeof(SampleQuestion))]
[JsonSerializable(typeof(PullReport))]
[JsonSerializable(typeof(PulledFile))]
[JsonSerializable(typeof(ModelLine))]
[JsonSerializable(typeof(DeviceLine))]
[JsonSerializable(typeof(ClearedWeights))]
sealed partial class VerbJson : JsonSerializerContext
{
    static readonly VerbJson s_readable = new(Json.Options());

    public static void Write<T>(T report) => Console.Out.WriteLine(JsonSerializer.Serialize(report, typeof(T), s_readable));
}
