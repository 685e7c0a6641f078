using Kvasir.Server;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Server;

namespace Kvasir.Tests.Compatibility;

/// <summary>
/// Servers of models that say the same whatever they are asked, for what the model that ships with Kvasir does not do by itself.
/// </summary>
static class ScriptedServers
{
    /// <summary>What <see cref="Thinker"/> thinks, and what it says then.</summary>
    public const string Thoughts = "I wonder.", Answer = "Hello!";

    /// <summary>One whose model thinks; its markers are cut over tokens.</summary>
    public static Task<ServerFixture> Thinker(ServerOptions? options = null) =>
        Start(options, "<thi", "nk>", "\nI won", "der. ", "</th", "ink>", "\n\nHe", "llo!");

    /// <summary>One whose model calls <c>noon</c>, without being made to.</summary>
    public static Task<ServerFixture> Caller(ServerOptions? options = null) =>
        Start(options, "<tool_call>", "\n{\"name\": \"no", "on\", \"argu", "ments\": {}}", "\n ", "</tool_call>");

    static Task<ServerFixture> Start(ServerOptions? options, params string[] script) =>
        ServerFixture.Start(options: options, script: new ScriptedModel([.. script]));
}
