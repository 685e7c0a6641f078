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
        using KvasirProcess plain = Serve(), tools = Serve("--chat-template-file", Path.Combine(Checkout.Root, "tests", "Kvasir.Tests", "Templates", "corpus", "qwen-tools.jinja"));
        ProcessStartInfo node = new("node", ["--test", "--test-reporter=spec"]) { WorkingDirectory = s_folder };
        (node.Environment["KVASIR_URL"], node.Environment["KVASIR_TOOLS_URL"], node.Environment["KVASIR_KEY"]) = (await Address(plain), await Address(tools), Key);
        (int exitCode, string output, string errors) = await Programs.Run(node);
        Assert.True(exitCode == 0, output + errors);
        Assert.Matches(@"\btests ([1-9]\d*)\n[\s\S]*\bpass \1\n", output.ReplaceLineEndings("\n")); // there were some, and none was skipped
    }

    static KvasirProcess Serve(params string[] more) => KvasirProcess.Start(["serve", "--port", "0", "--quiet", "--api-key", Key, .. more]);

    static async Task<string> Address(KvasirProcess server) => (await server.Note(new Regex(@"^serving \S+ at (http://\S+) ", RegexOptions.Multiline))).Groups[1].Value;

    static async Task Install()
    {
        if (Directory.Exists(Path.Combine(s_folder, "node_modules")))
            return;
        (int exitCode, string output, string errors) = await Programs.Run(new ProcessStartInfo("npm", ["ci", "--no-audit", "--no-fund"]) { WorkingDirectory = s_folder });
        Assert.SkipWhen(exitCode != 0 && Regex.IsMatch(errors, "ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network"), "needs the packages of tests/clients, and npm reaches no registry");
        Assert.True(exitCode == 0, output + errors);
    }
}
