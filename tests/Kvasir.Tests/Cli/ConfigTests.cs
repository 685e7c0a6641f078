using System.Text.Json;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>
/// What holds: a flag, else the environment, else the user's file, else the default; and <c>kvasir config</c>, which shows it.
/// </summary>
public sealed class ConfigTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>An environment with the file, for its owner only.</summary>
    Dictionary<string, string> With(string file, params (string Name, string Value)[] variables)
    {
        Directory.CreateDirectory(_folder["kvasir"]);
        string path = _folder.Write("kvasir/config.json", RawGguf.Bytes(file));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Dictionary<string, string> environment = variables.ToDictionary(variable => variable.Name, variable => variable.Value);
        environment["XDG_CONFIG_HOME"] = Path.GetDirectoryName(Path.GetDirectoryName(path))!;
        return environment;
    }

    static (string? Value, string From) Entry(JsonElement config, string key)
    {
        JsonElement entry = Assert.Single(config.GetProperty("settings").EnumerateArray(),
            entry => entry.GetProperty("key").GetString() == key);
        return (entry.GetProperty("value").GetString(), entry.GetProperty("from").GetString()!);
    }

    [Fact]
    public void A_flag_goes_before_the_environment_and_that_before_the_file_and_that_before_the_default()
    {
        Dictionary<string, string> here = With(
            """{"threads": 1, "kv-disk": "1GiB", "top-k": 7, "model": "from-file", "verbose": true, "serve": {"port": 9000}}""",
            ("KVASIR_KV_DISK", "2GiB"), ("KVASIR_TOP_K", "8"), ("KVASIR_VERBOSE", "0"), ("KVASIR_MODEL", ""));
        JsonElement config = RunIn(here, "config", "--top-k", "9", "--json").Json;
        Assert.Equal(("9", "flag"), Entry(config, "top-k"));
        Assert.Equal(("2GiB", "environment"), Entry(config, "kv-disk"));
        Assert.Equal(("false", "environment"), Entry(config, "verbose"));
        Assert.Equal(("1", "file"), Entry(config, "threads"));
        Assert.Equal(("from-file", "file"), Entry(config, "model"));
        Assert.Equal(("8080", "default"), Entry(config, "port"));
        Assert.Equal(("9000", "file"), Entry(config, "serve.port"));
        Assert.Equal(("2GiB", "default"), Entry(config, "kv-host"));
        Assert.Equal(Path.Combine(here["XDG_CONFIG_HOME"], "kvasir", "config.json"), config.GetProperty("file").GetString());
        Assert.True(config.GetProperty("exists").GetBoolean());
    }

    [Fact]
    public void What_holds_is_what_verbs_do()
    {
        string file = """{"max-tokens": 1, "run": {"max-tokens": 2}}""";
        Assert.Equal(2, Tokens(With(file)));
        Assert.Equal(3, Tokens(With(file, ("KVASIR_MAX_TOKENS", "3"))));
        Assert.Equal(4, Tokens(With(file, ("KVASIR_MAX_TOKENS", "3")), "-n", "4"));
        Assert.False(Directory.Exists(_folder["kv"]));
        Assert.Equal(5, Tokens(With(file, ("KVASIR_KV_DIR", _folder["kv"])), "-n", "5"));
        Assert.True(Directory.Exists(_folder["kv"]));

        static int Tokens(Dictionary<string, string> environment, params string[] flags) =>
            RunIn(environment, ["run", "Once upon a time", "--json", .. flags]).Json.GetProperty("completion_tokens").GetInt32();
    }

    [Fact]
    public void Without_a_file_there_are_defaults_and_the_place_for_one()
    {
        KvasirResult result = Run("config");
        string[] lines = KvasirResult.Lines(result.Answer);
        Assert.Matches(@"^file: .*kvasir.config\.json, which is not there$", lines[0]);
        Assert.Contains(lines,
            line => line.TrimEnd().EndsWith("default", StringComparison.Ordinal) && line.Contains(" kv-disk ", StringComparison.Ordinal));
        Assert.Empty(result.Errors);
    }

    [Fact]
    public void Secrets_are_not_shown_wherever_they_come_from()
    {
        Dictionary<string, string> here = With("""{"serve": {"api-key": ["hidden-one", "hidden-two"]}}""");
        Hides(RunIn(here, "config"));
        Hides(RunIn(here, "config", "--json"));
        Hides(RunIn(here, "config", "--api-key", "hidden-three"));
        Hides(RunIn(With("{}", ("KVASIR_API_KEY", "hidden-four")), "config"));

        static void Hides(KvasirResult result)
        {
            Assert.DoesNotContain("hidden", result.Answer, StringComparison.Ordinal);
            Assert.Contains("***", result.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_is_wrong_in_the_file_or_the_environment_ends_every_verb_with_one_line()
    {
        RunIn(With("""{"serve": {"port": "x"}}"""), "run", "Hello").Fails(2, "config.json: 'serve.port': saw 'x', expected a number");
        RunIn(With("{"), "sample-document").Fails(2, "config.json:1: no valid JSON");
        RunIn(With("{}", ("KVASIR_THREADS", "many")), "run", "Hello").Fails(2, "KVASIR_THREADS: saw many, expected a whole number");
        RunIn(With("{}", ("KVASIR_NO_PERSIST", "perhaps")), "run", "Hello")
            .Fails(2, "KVASIR_NO_PERSIST: saw 'perhaps', expected true or false");
        RunIn(With("{}", ("KVASIR_KV_DISK", "8GB")), "run", "Hello").Fails(2, "KVASIR_KV_DISK: '8GB' is no size");
        Assert.NotEmpty(RunIn(With("{"), "run", "--help").Answer);
        Assert.NotEmpty(RunIn(With("{"), "--version").Answer);
    }

    [Fact]
    public void A_failure_says_who_asked_for_what_went_wrong()
    {
        RunIn(With("""{"model": "missing.gguf"}"""), "run", "Hello")
            .Fails(1, "missing.gguf: no such file; a model is a file, a folder, a name of `kvasir models`, or 'saga'; --model is set by ");
        RunIn(With("{}", ("KVASIR_HOST", "nowhere")), "serve")
            .Fails(2, "expected an IP address such as 127.0.0.1 or 0.0.0.0; --host is set by KVASIR_HOST");
        RunIn(With("""{"no-persist": true}"""), "run", "Hello", "--session", "s").Fails(2, "choose one; --no-persist is set by ");
        RunIn(With("""{"kv-device": 100}"""), "run", "Hello").Fails(2, "; --kv-device is set by ");
        KvasirResult typed = RunIn(With("""{"model": "missing.gguf"}"""), "run", "Hello", "-m", "other.gguf");
        Assert.DoesNotContain("is set by", typed.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_variable_that_looks_like_a_slip_is_told_by_every_verb_and_a_foreign_one_by_config()
    {
        Dictionary<string, string> here = With("{}", ("KVASIR_THREAD", "1"), ("KVASIR_SOMETHING_ELSE", "1"), ("KVASIR_ISA", "scalar"));
        Assert.Equal("warning: nobody reads KVASIR_THREAD; KVASIR_THREADS is perhaps what was meant\n",
            RunIn(here, "sample-document").Errors);
        KvasirResult config = RunIn(here, "config");
        Assert.Empty(config.Errors);
        Assert.EndsWith(
            "nobody reads KVASIR_SOMETHING_ELSE\nnobody reads KVASIR_THREAD; KVASIR_THREADS is perhaps what was meant\n",
            config.Answer, StringComparison.Ordinal);
        Assert.Equal(2, RunIn(here, "config", "--json").Json.GetProperty("unread").GetArrayLength());
    }

    [Fact]
    public void The_usual_variable_of_telemetry_counts_after_ours()
    {
        JsonElement theirs = RunIn(With("{}", ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:1")), "config", "--json").Json;
        Assert.Equal(("http://a:1", "environment"), Entry(theirs, "otlp-endpoint"));
        JsonElement ours = RunIn(With("{}", ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:1"), ("KVASIR_OTLP_ENDPOINT", "http://b:1")),
            "config", "--json").Json;
        Assert.Equal(("http://b:1", "environment"), Entry(ours, "otlp-endpoint"));
    }
}
