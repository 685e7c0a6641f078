using System.Diagnostics;
using System.Text;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Samples;

/// <summary>The samples as a reader runs them: <c>dotnet run samples/chat.cs</c>.</summary>
public class SampleTests
{
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5); // they are compiled first

    [Theory]
    [InlineData("chat", @"^Einar keeps the red lamp in the boat house\.$")]
    [InlineData("document",
        @"^.+\? .+\.\n0 of \d{3} tokens were in the cache\.\n.+\? .+\.\n[1-9]\d{2} of \d{3} tokens were in the cache\.\n$")]
    [InlineData("own-engine", @"^first question:  0 of 203 .+, 203 computed, .+\n(second question: |after a restart: )200 of 203 .+, 3 computed, .+\n.+ 200 of 203 .+, 3 computed, logit (-?0\.\d{6})\n.+ 203 computed, logit \2\n$")]
    [InlineData("embeddings", @"^1\.000 Einar .+\n0\.\d{3} Sigrid .+\n0\.\d{3} Runa .+\n$")]
    public async Task A_sample_says_what_it_promises(string name, string expected) => Assert.Matches(expected, await Run(name));

    [Fact]
    public void Every_sample_is_run() =>
        Assert.Equal(["chat", "document", "embeddings", "own-engine"], Directory.GetFiles(Path.Combine(Checkout.Root, "samples"), "*.cs")
            .Select(file => Path.GetFileNameWithoutExtension(file)).Order());

    static async Task<string> Run(string name)
    {
        ProcessStartInfo start = new("dotnet", ["run", $"samples/{name}.cs"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            WorkingDirectory = Checkout.Root,
        };
        using Process sample = Process.Start(start)!;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        over.CancelAfter(s_patience);
        using CancellationTokenRegistration killed = over.Token.Register(() => sample.Kill(entireProcessTree: true));
        Task<string> output = sample.StandardOutput.ReadToEndAsync(CancellationToken.None),
            errors = sample.StandardError.ReadToEndAsync(CancellationToken.None);
        await sample.WaitForExitAsync(CancellationToken.None);
        Assert.True(sample.ExitCode == 0, $"exit code {sample.ExitCode}: {await output}{await errors}");
        return (await output).ReplaceLineEndings("\n");
    }
}
