using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary>What the verbs of <c>kvasir kv</c> print with <c>--json</c>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(KvStat))]
[JsonSerializable(typeof(KvList))]
[JsonSerializable(typeof(KvTree))]
[JsonSerializable(typeof(KvLookup))]
[JsonSerializable(typeof(KvWarm))]
[JsonSerializable(typeof(KvPin))]
[JsonSerializable(typeof(KvUnpin))]
[JsonSerializable(typeof(KvVerify))]
[JsonSerializable(typeof(KvCollect))]
[JsonSerializable(typeof(KvRemoteCollect))]
[JsonSerializable(typeof(KvClear))]
sealed partial class KvJson : JsonSerializerContext
{
    static readonly KvJson s_readable = new(Json.Options());

    public static void Write<T>(T report) => Console.Out.WriteLine(JsonSerializer.Serialize(report, typeof(T), s_readable));
}
