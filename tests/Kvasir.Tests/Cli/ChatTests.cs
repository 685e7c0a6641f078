using System.Text.Json;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary><c>kvasir chat</c> with its turns from a pipe.</summary>
public sealed class ChatTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_line_is_a_turn_and_the_end_of_the_input_leaves()
    {
        KvasirResult result = RunOn("What is the job of Einar?\n\nWhat is the job of Signe?", "chat",
            "--stop", ".", "--stop", "\n", "-n", "30");
        Assert.Equal(2, KvasirResult.Lines(result.Answer).Length);
        Assert.DoesNotContain(">", result.Output + result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_said_is_nothing_answered()
    {
        KvasirResult result = Run("chat");
        Assert.Empty(result.Answer);
        Assert.Empty(result.Errors);
    }

    [Fact]
    public void Commands_are_answered_on_standard_error()
    {
        KvasirResult result = RunOn("/stats\nhello\n/stats\n/reset\n/stats\n/help\n/sing\n/exit\nhello\n", "chat", "-n", "3");
        Assert.Single(KvasirResult.Lines(result.Answer));
        string[] notes = KvasirResult.Lines(result.Errors);
        Assert.StartsWith("0 of 4,096 tokens · KV 0.0 MiB · pool 0 of 257 blocks", notes[0], StringComparison.Ordinal);
        Assert.EndsWith("cut at the limit of tokens", notes[1], StringComparison.Ordinal);
        Assert.Matches(@"^1\d of 4,096 tokens · KV 0\.\d MiB · pool [12] of 257 blocks", notes[2]);
        Assert.Equal("last answer: " + notes[1], notes[3]);
        Assert.Equal("The conversation is forgotten.", notes[4]);
        Assert.StartsWith("0 of 4,096 tokens", notes[5], StringComparison.Ordinal);
        Assert.Contains("/reset", notes[7], StringComparison.Ordinal);
        Assert.Equal("no command /sing: /help lists them", notes[8]);
        Assert.Equal(9, notes.Length);
    }

    [Theory]
    [InlineData("\"\"\"\none\ntwo\n\"\"\"\n"), InlineData("\"\"\"one\ntwo\"\"\"\n"), InlineData("\"\"\"one\ntwo")]
    public void Text_between_fences_is_one_turn(string input)
    {
        JsonElement fenced = RunOn(input, "chat", "--json", "-n", "1").Json;
        int one = RunOn("one", "chat", "--json", "-n", "1").Json.GetProperty("prompt_tokens").GetInt32();
        Assert.True(fenced.GetProperty("prompt_tokens").GetInt32() > one);
    }

    [Fact]
    public void The_second_turn_finds_the_first_in_the_cache_and_so_does_one_that_begins_anew()
    {
        string document = _folder.Write("document.txt", RawGguf.Bytes("The code of the old mill is 7351.\n"));
        JsonElement[] turns = RunOn("hello\nhello\n/reset\nhello\n", "chat", "--json", "-n", "5", "-f", document).JsonLines;
        Assert.Equal(3, turns.Length);
        Assert.Equal(0, Reused(turns[0]));
        Assert.Equal(turns[0].GetProperty("prompt_tokens").GetInt32() + 4, Reused(turns[1])); // but for the last token of the answer
        Assert.Equal(turns[2].GetProperty("prompt_tokens").GetInt32() - 1, Reused(turns[2]));
        Assert.Equal(turns[0].GetProperty("token_ids").GetRawText(), turns[2].GetProperty("token_ids").GetRawText());

        static int Reused(JsonElement turn) => turn.GetProperty("kv").GetProperty("reused").GetProperty("device").GetInt32();
    }

    [Fact]
    public void Json_says_on_standard_output_all_there_is_to_say_of_an_answer() =>
        Assert.Empty(RunOn("hello\n", "chat", "--json", "-n", "3").Errors);

    [Fact]
    public void A_full_context_is_said_and_the_conversation_can_begin_anew()
    {
        KvasirResult result = RunOn("hello\nhello\n/reset\nhello\n", "chat", "-c", "20", "-n", "3");
        Assert.Equal(2, KvasirResult.Lines(result.Answer).Length);
        Assert.Contains("the context holds 20", result.Errors, StringComparison.Ordinal);
        Assert.Contains("/reset begins anew", result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("/reset", RunOn("hello\n", "chat", "-c", "8").Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupt_ends_the_answer_and_not_the_conversation()
    {
        using KvasirProcess process = Start("chat", "-c", "16384", "--temp", "5", "--top-k", "0", "--top-p", "1", "--min-p",
            "0", "--seed", "1", "--no-kv-cache");
        process.Say("Tell me a story.\n");
        await process.Output.ReadAsync(new char[1].AsMemory(), TestContext.Current.CancellationToken);
        process.Interrupt();
        process.Say("/stats\n");
        KvasirResult result = process.Finish();
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("· interrupted\n", result.Errors, StringComparison.Ordinal);
        Assert.Contains("last answer: ", result.Errors, StringComparison.Ordinal);
    }
}
