using System.Text.Json;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>What one process has computed, the next one finds; and conversations go on.</summary>
public sealed class PersistenceTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    string Document()
    {
        string path = _folder["document.txt"];
        File.WriteAllText(path, Run("sample-document", "--facts", "20", "--seed", "5").Answer);
        return path;
    }

    static int Reused(JsonElement run, string tier) => run.GetProperty("kv").GetProperty("reused").GetProperty(tier).GetInt32();

    [Fact]
    public void The_same_command_again_computes_one_token_and_says_so()
    {
        string[] command = ["run", "-f", Document(), "How many dogs does Helga have?", "-n", "8"];
        JsonElement first = RunWith(_folder["cache"], [.. command, "--json"]).Json,
            second = RunWith(_folder["cache"], [.. command, "--json"]).Json;
        int prompt = first.GetProperty("prompt_tokens").GetInt32();
        Assert.Equal((prompt, 0), (first.GetProperty("kv").GetProperty("computed").GetInt32(), Reused(first, "disk")));
        Assert.Equal((1, prompt - 1), (second.GetProperty("kv").GetProperty("computed").GetInt32(), Reused(second, "disk")));
        Assert.True(second.GetProperty("kv").GetProperty("restored_bytes").GetInt64() > 0);
        Assert.Equal(first.GetProperty("text").GetString(), second.GetProperty("text").GetString());
        Assert.Equal("never_seen",
            Assert.Single(first.GetProperty("kv").GetProperty("miss").EnumerateArray()).GetProperty("reason").GetString());
        Assert.Empty(second.GetProperty("kv").GetProperty("miss").EnumerateArray());
    }

    [Fact]
    public void Another_question_about_the_same_file_diverges_where_it_does()
    {
        string document = Document();
        RunWith(_folder["cache"], "run", "-f", document, "How many dogs does Helga have?", "-n", "4");
        KvasirResult result = RunWith(_folder["cache"], "run", "-v", "-f", document, "How many cats does Helga have?", "-n", "4");
        Assert.Matches(@"\nprompt [\d,]+: [\d,]+ from disk in [\d.]+ ms \(saved [\d.]+ m?s\), \d+ computed; diverged at token [\d,]+: "" cats"" was "" dogs""\n$", "\n" + result.Errors);
    }

    [Fact]
    public void Nothing_is_kept_with_no_persist()
    {
        RunWith(_folder["cache"], "run", "Once upon a time", "-n", "4", "--no-persist");
        Assert.False(Directory.Exists(Path.Combine(_folder["cache"], "kvasir", "kv")));
    }

    [Fact]
    public void Files_are_for_their_owner_only()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes");
        if (OperatingSystem.IsWindows())
            return; // for the analyser
        RunWith(_folder["cache"], "run", "Hello", "-n", "4", "--session", "s");
        string kv = Path.Combine(_folder["cache"], "kvasir", "kv");
        foreach (string file in Directory.GetFiles(kv, "*", SearchOption.AllDirectories))
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        foreach (string folder in (string[])[kv, Path.Combine(kv, "sessions")])
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
    }

    [Fact]
    public void A_directory_that_cannot_be_used_is_a_warning_and_the_answer_comes()
    {
        string file = _folder.Write("file", [1]);
        KvasirResult result = Run("run", "Once upon a time", "-n", "4", "--kv-dir", file);
        Assert.NotEmpty(result.Answer);
        Assert.StartsWith("warning: keys and values on the disk: ", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_session_goes_on_in_the_next_process_and_finds_its_keys_and_values()
    {
        string[] session = ["--session", "walk", "--json", "-n", "12"];
        JsonElement first = RunWith(_folder["cache"], ["run", "-f", Document(), "How many dogs does Helga have?", .. session]).Json;
        JsonElement second = RunWith(_folder["cache"], ["run", "And what does she like?", .. session]).Json;
        int before = first.GetProperty("prompt_tokens").GetInt32() + first.GetProperty("token_ids").GetArrayLength();
        Assert.InRange(Reused(second, "disk"), before - 1, before + 1);
        Assert.True(second.GetProperty("prompt_tokens").GetInt32() > before);
        using KvasirProcess chat = StartWith(_folder["cache"], "chat", "--session", "walk", "--json", "-n", "5");
        chat.Say("Go on\n");
        JsonElement third = chat.Finish().Json;
        Assert.True(Reused(third, "disk") >= second.GetProperty("prompt_tokens").GetInt32());
        string[] lines = File.ReadAllLines(Path.Combine(_folder["cache"], "kvasir", "kv", "sessions", "walk.jsonl"));
        Assert.Equal(["system", "user", "assistant", "user", "assistant", "user", "assistant"],
            lines.Select(line => JsonElement.Parse(line).GetProperty("role").GetString()));
    }

    [Fact]
    public void A_session_whose_keys_and_values_are_gone_computes_them_again()
    {
        string[] session = ["--session", "walk", "--json", "-n", "6"];
        RunWith(_folder["cache"], ["run", "How many dogs does Helga have?", .. session]);
        foreach (string file in Directory.GetFiles(Path.Combine(_folder["cache"], "kvasir", "kv")))
            File.Delete(file);
        JsonElement second = RunWith(_folder["cache"], ["run", "And what does she like?", .. session]).Json;
        Assert.Equal(second.GetProperty("prompt_tokens").GetInt32(), second.GetProperty("kv").GetProperty("computed").GetInt32());
    }

    [Fact]
    public void A_line_cut_off_by_a_crash_takes_its_turn_along_and_nonsense_is_named()
    {
        string[] session = ["--session", "walk", "--json", "-n", "6"];
        RunWith(_folder["cache"], ["run", "How many dogs does Helga have?", .. session]);
        string path = Path.Combine(_folder["cache"], "kvasir", "kv", "sessions", "walk.jsonl"), whole = File.ReadAllText(path);
        int prompt = RunWith(_folder["cache"], ["run", "And what does she like?", .. session]).Json.GetProperty("prompt_tokens").GetInt32();
        File.WriteAllText(path, File.ReadAllText(path)[..^20]); // of the answer's line
        Assert.Equal(prompt,
            RunWith(_folder["cache"], ["run", "And what does she like?", .. session]).Json.GetProperty("prompt_tokens").GetInt32());
        File.WriteAllText(path, whole + "{\"role\": \"king\"}\n");
        RunWith(_folder["cache"], ["run", "And?", .. session]).Fails(1, "session walk: line 3: ");
    }

    [Theory]
    [InlineData("../up"), InlineData(""), InlineData("a b"), InlineData(".hidden")]
    public void A_session_needs_a_name(string name) => Run("run", "Hello", "--session", name).Fails(2, "--session ");

    [Fact]
    public void A_session_belongs_to_one_process_at_a_time()
    {
        using KvasirProcess chat = StartWith(_folder["cache"], "chat", "--session", "walk", "--json", "-n", "2");
        chat.Say("Hello\n");
        chat.Output.ReadLine();
        RunWith(_folder["cache"], "run", "Hello", "--session", "walk")
            .Fails(1, "session walk: cannot be opened, perhaps because another process has it");
        Assert.Empty(chat.Finish().Output);
    }

    [Theory]
    [InlineData("--kv-disk", "8GB"), InlineData("--kv-host", "-1"), InlineData("--kv-device", "lots"), InlineData("--kv-host-type", "q9")]
    public void Nonsense_is_refused(string flag, string value) => Run("run", "Hello", flag, value).Fails(2, Printable(value));

    static string Printable(string value) => $"'{value}'";
}
