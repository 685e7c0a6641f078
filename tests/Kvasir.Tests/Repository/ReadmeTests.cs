using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Kvasir.Inference.Saga;
using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Repository;

/// <summary>
/// The README's commands do what it says: each is run as it stands, in its order, in an empty folder with an empty cache,
/// and prints what is printed there.
/// </summary>
public sealed partial class ReadmeTests : IDisposable
{
    /// <summary>Verbs that measure, search or load for long: <see cref="PageTests"/> has their command lines parsed.</summary>
    static readonly string[] s_long = ["bench", "eval", "perplexity", "plan", "pull"];

    readonly TemporaryFolder _folder = new();
    readonly Page _page = new("README.md");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_run_first_prints_what_is_shown()
    {
        (_, string commands) = _page.Blocks.First(block => block.Text.StartsWith("./kvasir", StringComparison.Ordinal));
        (_, string shown) = _page.Blocks.SkipWhile(block => block.Text != commands).ElementAt(1);
        string printed = string.Concat(commands.TrimEnd().Split('\n').Select(ShellCommand.Parse)
            .Select(command => command.Output is null ? Both(Run(command)) : Keep(command)));
        Assert.Equal(Masked(shown), Masked(printed));

        static string Both(KvasirResult result) => result.Answer + result.Errors;
    }

    [Fact]
    public async Task Every_command_works()
    {
        File.WriteAllText(_folder["doc.txt"], new SagaGenerator(1).Document(20).Text); // saga.txt is made by a command
        List<string> run = [];
        foreach (ShellCommand command in _page.Commands.DistinctBy(command => command.Line).Where(command => !IsLong(command)))
        {
            run.Add(command.Arguments[0]);
            if (command.Arguments[0] == "serve")
                await Serve(command);
            else if (command.Output is not null)
                Keep(command);
            else
                Check(command, Run(command));
        }
        string[] shown = ["sample-document", "run", "chat", "quantize", "kv", "config", "serve", "estimate", "limits", "simulate"];
        Assert.Empty(shown.Except(run));
    }

    /// <summary>A comment that quotes the program has the words in which the program said it.</summary>
    static void Check(ShellCommand command, KvasirResult result)
    {
        Assert.True(result.ExitCode == 0, $"{command.Line}: {result.Errors}");
        if (command.Comment.Contains('…'))
            Assert.All(command.Comment.Split('…', '\n'),
                quoted => Assert.Contains(Masked(quoted.Trim(' ', ',')), Masked(result.Output + result.Errors), StringComparison.Ordinal));
    }

    KvasirResult Run(ShellCommand command) => KvasirProcess.RunAt(_folder[""], _folder["cache"], Arguments(command));

    /// <summary>The command's own words, but for files that are not there: saga takes their place, and says little.</summary>
    static string[] Arguments(ShellCommand command)
    {
        string[] arguments =
            [.. command.Arguments.Select(argument => argument is "VERB" ? "run" : IsModel(argument) ? SagaModel.Path : argument)];
        return arguments[0] == "run" && command.Arguments.Any(IsModel) ? [.. arguments, "--max-tokens", "8"] : arguments;
    }

    /// <summary>A model that the reader brings; the other is one that he makes.</summary>
    static bool IsModel(string argument) => argument == "Qwen/Qwen3-0.6B" || argument.EndsWith(".gguf", StringComparison.Ordinal) && argument != "model-q8_0.gguf";

    /// <summary>Runs a command whose output goes to a file.</summary>
    string Keep(ShellCommand command)
    {
        KvasirResult result = Run(command);
        File.WriteAllText(_folder[command.Output!], result.Answer);
        return result.Errors;
    }

    static bool IsLong(ShellCommand command) => s_long.Contains(command.Arguments[0]) || command.Arguments is ["limits"];

    /// <summary>Starts a server, on any free port, and asks it what the README asks.</summary>
    async Task Serve(ShellCommand command)
    {
        using KvasirProcess process = KvasirProcess.StartAt(_folder[""], _folder["cache"], [.. Arguments(command), "--port", "0"]);
        string address = (await process.Note(new Regex("serving .* at (http://127.0.0.1:[0-9]+) "))).Groups[1].Value;
        ShellCommand curl = Curl();
        using HttpClient client = new();
        using HttpRequestMessage request = new(HttpMethod.Post,
            new Uri(curl.Arguments[0].Replace("http://127.0.0.1:8080", address, StringComparison.Ordinal)));
        request.Content = new StringContent(After("-d"), Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        request.Headers.Add("X-Kvasir-Explain", "1");
        using HttpResponseMessage response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        JsonElement answer = JsonElement.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.True(answer.GetProperty("usage").GetProperty("prompt_tokens_details").TryGetProperty("cached_tokens", out _));
        Assert.True(answer.TryGetProperty("kvasir", out _));
        process.Interrupt();
        Assert.Equal(0, process.Finish().ExitCode);

        string After(string flag) => curl.Arguments.SkipWhile(argument => argument != flag).ElementAt(1);
    }

    ShellCommand Curl()
    {
        string text = _page.Blocks.Single(block => block.Text.Contains("\ncurl ", StringComparison.Ordinal)).Text;
        ShellCommand curl = ShellCommand.Parse(text[(text.IndexOf("\ncurl ", StringComparison.Ordinal) + 1)..].Replace("\\\n", " ",
            StringComparison.Ordinal).Split('\n')[0]);
        Assert.Contains("X-Kvasir-Explain: 1", curl.Arguments);
        Assert.Contains("Content-Type: application/json", curl.Arguments);
        return curl;
    }

    /// <summary>
    /// Times and speeds differ from run to run and from machine to machine; a busy one perhaps saves none, and says that it loads.
    /// Counts of tokens do not differ.
    /// </summary>
    static string Masked(string text) => Measured().Replace(OfBusyMachines().Replace(text, ""), "* $1");

    [GeneratedRegex(@" \(saved [^)]*\)|^loading weights, .*\n", RegexOptions.Multiline)]
    private static partial Regex OfBusyMachines();

    [GeneratedRegex(@"[\d,.]+ m?(s|tok/s)(?!\w)")]
    private static partial Regex Measured();
}
