using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Kvasir.Cli.Verbs;
using Kvasir.Cli.Verbs.Kv;
using Kvasir.Cli.Verbs.Simulate;

namespace Kvasir.Cli;

/// <summary>What <c>--json</c> prints: one object on one line, fields in snake case.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(RunReport))]
[JsonSerializable(typeof(SessionTurn))]
[JsonSerializable(typeof(ShowReport))]
[JsonSerializable(typeof(TokenizeReport))]
[JsonSerializable(typeof(QuantizeReport))]
[JsonSerializable(typeof(SampleReport))]
[JsonSerializable(typeof(SynthReport))]
[JsonSerializable(typeof(BenchReport))]
[JsonSerializable(typeof(KvBenchReport))]
[JsonSerializable(typeof(ServeBenchReport))]
[JsonSerializable(typeof(KvStat))]
[JsonSerializable(typeof(KvList))]
[JsonSerializable(typeof(KvTree))]
[JsonSerializable(typeof(KvLookup))]
[JsonSerializable(typeof(KvWarm))]
[JsonSerializable(typeof(KvPin))]
[JsonSerializable(typeof(KvUnpin))]
[JsonSerializable(typeof(KvVerify))]
[JsonSerializable(typeof(KvCollect))]
[JsonSerializable(typeof(KvClear))]
[JsonSerializable(typeof(LimitsReport))]
[JsonSerializable(typeof(EstimateReport))]
[JsonSerializable(typeof(SimulateReport))]
[JsonSerializable(typeof(PlanReport))]
[JsonSerializable(typeof(EvalReport))]
[JsonSerializable(typeof(PerplexityReport))]
[JsonSerializable(typeof(ConfigReport))]
[JsonSerializable(typeof(ServeStart))]
[JsonSerializable(typeof(ServeEvent))]
[JsonSerializable(typeof(ModelLimitsReport))]
[JsonSerializable(typeof(SampleQuestion))]
sealed partial class Json : JsonSerializerContext
{
    /// <summary>Readable text: letters of all scripts stay as they are.</summary>
    static readonly Json s_readable = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    public static void Write<T>(T report) => Console.Out.WriteLine(ToText(report));

    public static string ToText<T>(T value) => JsonSerializer.Serialize(value, typeof(T), s_readable);
}
