using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Kvasir.Server;
using Kvasir.Server.Security;
using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Server;

namespace Kvasir.Tests.Compatibility;

/// <summary><c>kvasir serve</c> and the clients of tests/clients, which is a folder for each.</summary>
public sealed class NodeClientTests
{
    const string Key = "node-clients-0123456789";

    static readonly ServerOptions s_withKey = new() { ApiKeys = [new ApiKey(Key)], AnswersToAllNames = true };

    static readonly string s_folder = Path.Combine(Checkout.Root, "tests", "clients");

    [Fact]
    public async Task What_the_clients_of_npm_ask_is_answered_as_they_expect()
    {
        await NpmPackages.Install(s_folder);
        using KvasirProcess plain = Serve(), tools =
            Serve("--chat-template-file", Path.Combine(Checkout.Root, "tests", "Kvasir.Tests", "Templates", "corpus", "qwen-tools.jinja"));
        await using ServerFixture thinker = await ScriptedServers.Thinker(s_withKey), caller = await ScriptedServers.Caller(s_withKey);
        ProcessStartInfo node = new("node", ["--test", "--test-reporter=spec", "--test-reporter-destination=stderr",
            "--test-reporter=./results.mjs", "--test-reporter-destination=stdout"])
        { WorkingDirectory = s_folder };
        (node.Environment["KVASIR_URL"], node.Environment["KVASIR_TOOLS_URL"], node.Environment["KVASIR_KEY"]) =
            (await Address(plain), await Address(tools), Key);
        (node.Environment["KVASIR_THINKER_URL"], node.Environment["KVASIR_CALLER_URL"]) = (thinker.Server.Address, caller.Server.Address);
        (int exitCode, string output, string errors) = await Programs.Run(node);
        JsonElement[] results = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line))];
        Assert.NotEmpty(results);
        foreach (IGrouping<string, JsonElement> client in results.GroupBy(result => result.GetProperty("client").GetString()!))
            CompatibilityPage.Check($"{s_packages[client.Key]} (Node)", VersionOf(s_packages[client.Key]), Shown(client), errors);
        Assert.True(exitCode == 0 && results.All(HasPassed), errors); // none was skipped either
    }

    /// <summary>The package of which a folder's tests are.</summary>
    static readonly Dictionary<string, string> s_packages = new()
    {
        ["openai"] = "openai", ["anthropic"] = "@anthropic-ai/sdk", ["langchain"] = "@langchain/openai", ["vercel"] = "ai", ["ollama"] = "ollama",
    };

    /// <summary>What a test is about, by the words in the names of its file and itself; in a file about nothing else, a chat.</summary>
    static readonly Dictionary<Feature, Regex> s_words = new()
    {
        [Feature.Chat] = new("whole and streamed|^\\S+ a chat"),
        [Feature.Stream] = new("stream(?! that)|in pieces"),
        [Feature.Tools] = new(@"^tools\.|\btools\b"),
        [Feature.Schema] = new(@"^structured\.|schema|structured|object|in a form where"),
        [Feature.Reasoning] = new("thought|think|reasoning"),
        [Feature.Cache] = new("from the cache|the cache had"),
        [Feature.Completions] = new(@"^completions\.|without a conversation|text is completed"),
        [Feature.Responses] = new(@"^responses\.|^\S+ responses|responses API"),
        [Feature.Embeddings] = new(@"^embeddings\.|embedded|vectors"),
        [Feature.Tokens] = new("tokens are counted|count"),
        [Feature.Models] = new(@"^models\.|models are listed"),
        [Feature.Errors] = new(@"^errors\.(?!.*left)|^\S+ errors|cannot be done is told"),
        [Feature.Leaving] = new("stream that is left|answer that is aborted"),
    };

    static Dictionary<Feature, bool> Shown(IEnumerable<JsonElement> results) => results
        .SelectMany(result => About($"{result.GetProperty("file")} {result.GetProperty("name")}").Select(feature => (feature, HasPassed(result))))
        .GroupBy(pair => pair.feature).ToDictionary(group => group.Key, group => group.All(pair => pair.Item2));

    static Feature[] About(string names) =>
        [.. s_words.Where(pair => pair.Value.IsMatch(names)).Select(pair => pair.Key).DefaultIfEmpty(Feature.Chat)];

    static bool HasPassed(JsonElement result) => result.GetProperty("passed").GetBoolean();

    static string VersionOf(string package)
    {
        using var packages = JsonDocument.Parse(File.ReadAllText(Path.Combine(s_folder, "package.json")));
        return packages.RootElement.GetProperty("dependencies").GetProperty(package).GetString()!;
    }

    static KvasirProcess Serve(params string[] more) => KvasirProcess.Start(["serve", "--port", "0", "--quiet", "--api-key", Key, .. more]);

    static async Task<string> Address(KvasirProcess server) =>
        (await server.Note(new Regex(@"^serving \S+ at (http://\S+) ", RegexOptions.Multiline))).Groups[1].Value;
}
