using System.Text.Json.Serialization;
using Kvasir.Server.Accounting;

namespace Kvasir.Server.Kv;

/// <summary>All that the endpoints of the cache write as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(KvStats))]
[JsonSerializable(typeof(KvTreeAnswer))]
[JsonSerializable(typeof(KvViewsAnswer))]
[JsonSerializable(typeof(KvLookupAnswer))]
[JsonSerializable(typeof(KvWarmAnswer))]
[JsonSerializable(typeof(KvPinned))]
[JsonSerializable(typeof(KvUnpinned))]
[JsonSerializable(typeof(KvEvicted))]
[JsonSerializable(typeof(KvImported))]
[JsonSerializable(typeof(RequestRecord))]
[JsonSerializable(typeof(KvRequests))]
sealed partial class KvJson : JsonSerializerContext
{
    /// <summary>The same for answers that are written whole.</summary>
    public static KvJson Wire { get; } = new(Http.Wire.Options());
}
