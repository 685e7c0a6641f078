using System.Text.Json;

namespace Kvasir.KvCache.Lookups;

/// <summary>What reasons are called wherever a program or a person reads of one.</summary>
public static class MissReasons
{
    static readonly string[] s_names = [.. Enum.GetNames<MissReason>().Select(JsonNamingPolicy.SnakeCaseLower.ConvertName)];

    /// <summary>All names.</summary>
    public static IReadOnlyList<string> All => s_names;

    /// <summary>The name, such as <c>never_seen</c>.</summary>
    public static string Name(this MissReason reason) => s_names[(int)reason];
}
