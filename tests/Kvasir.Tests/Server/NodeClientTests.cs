using System.Diagnostics;
using System.Text.RegularExpressions;
using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary><c>kvasir serve</c> and the clients of tests/clients: openai, @anthropic-ai/sdk, the AI SDK and LangChain.</summary>
public sealed class NodeClientTests
{
    const string Key = "node-clients-0123456789";

    static readonly string s_folder = Path.Combine(Checkout.Root, "tests", "clients");

    [Fact]
    public async Task What_the_clients_of_npm_ask_is_answered_as_they_expect()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "npm is a script there, which starts another way");
        Programs.Need("node", "npm");
        await Install();
        using KvasirProcess plain = Serve(), tools =
            Serve("--chat-template-file", Path.Combine(Checkout.Root, "tests", "Kvasir.Tests", "Templates", "corpus", "qwen-tools.jinja"));
        ProcessStartInfo node = new("node", ["--test", "--test-reporter=spec"]) { WorkingDirectory = s_folder };
        (node.Environment["KVASIR_URL"], node.Environment["KVASIR_TOOLS_URL"], node.Environment["KVASIR_KEY"]) =
            (await Address(plain), await Address(tools), Key);
        (int exitCode, string output, string errors) = await Programs.Run(node);
        Assert.True(exitCode == 0, output + errors);
        Assert.Matches(@"\btests ([1-9]\d*)\n[\s\S]*\bpass \1\n", output.ReplaceLineEndings("\n")); // there were some, and none was skipped
    }

    static KvasirProcess Serve(params string[] more) => KvasirProcess.Start(["serve", "--port", "0", "--quiet", "--api-key", Key, .. more]);

    static async Task<string> Address(KvasirProcess server) =>
        (await server.Note(new Regex(@"^serving \S+ at (http://\S+) ", RegexOptions.Multiline))).Groups[1].Value;

    /// <summary>
    /// Installs the clients once. npm writes the file that is looked for last, and what it has kept of an earlier time needs no network;
    /// without one it would try again for minutes.
    /// </summary>
    static async Task Install()
    {
        if (File.Exists(Path.Combine(s_folder, "node_modules", ".package-lock.json")))
            return;
        (int exitCode, string output, string errors) = await Programs.Run(
            new ProcessStartInfo("npm", ["ci", "--prefer-offline", "--fetch-retries=0", "--no-audit", "--no-fund"])
            {
                WorkingDirectory = s_folder,
            });
        Match unreached = Regex.Match(errors,
            "ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|E?TIMEDOUT|ERR_SOCKET_TIMEOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED");
        Assert.SkipWhen(exitCode != 0 && unreached.Success,
            $"needs the packages of tests/clients from npm's registry, which is not reached: {unreached.Value}");
        Assert.True(exitCode == 0, output + errors);
    }
}
