using Kvasir.Cli;
using Kvasir.Cli.Configuration;
using Kvasir.Cli.Output;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>
/// The user's configuration file: what is wrong in it is one line that names file, key, what was seen and what was expected.
/// </summary>
public sealed class ConfigFileTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    string Write(string text) => _folder.Write("config.json", RawGguf.Bytes(text));

    string Error(string text)
    {
        string path = Write(text);
        string message = Assert.Throws<UsageException>(() => ConfigFile.Read(RootVerb.Create(), path)).Message;
        Assert.StartsWith(path + ":", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        return message[(path.Length + 1)..].Trim();
    }

    [Theory]
    [InlineData("""{"theads": 1}""", "'theads': no such setting, expected perhaps 'threads'")]
    [InlineData("""{"rather": 1}""", "'rather': no such setting, expected one of those that `kvasir config --help` lists")]
    [InlineData("""{"json": true}""", "'json': no such setting, expected one of those that `kvasir config --help` lists")]
    [InlineData("""{"store": {"temp": 1}}""", "'store.temp': no such setting of this verb, expected one of those")]
    [InlineData("""{"kv": {"stat": {"threads": 1}}}""", "'kv.stat.threads': no such setting of this verb")]
    [InlineData("""{"serve": 1}""", "'serve': saw 1, expected an object of settings for this verb")]
    public void A_key_that_nobody_reads_is_told(string text, string error) =>
        Assert.StartsWith(error, Error(text), StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"threads": "4"}""", "'threads': saw '4', expected a number")]
    [InlineData("""{"threads": true}""", "'threads': saw true, expected a number")]
    [InlineData("""{"threads": null}""", "'threads': saw null, expected a number")]
    [InlineData("""{"no-persist": 1}""", "'no-persist': saw 1, expected true or false")]
    [InlineData("""{"model": 3}""", "'model': saw 3, expected a text")]
    [InlineData("""{"model": ["a", "b"]}""", "'model': saw a list, expected a text")]
    [InlineData("""{"kv-disk": {}}""", "'kv-disk': saw an object, expected a size such as \"8GiB\", or a number of bytes")]
    [InlineData("""{"allowed-host": ["a", 2]}""", "'allowed-host': saw 2, expected a text or a list of texts")]
    [InlineData("""{"api-key": 12345678}""", "'api-key': saw another kind of value, expected a text or a list of texts")]
    public void A_value_of_another_kind_is_told(string text, string error) => Assert.Equal(error, Error(text));

    [Theory]
    [InlineData("""{"threads": 0}""", "'threads': saw 0, expected 1 to 1024")]
    [InlineData("""{"threads": 1.5}""", "'threads': saw 1.5, expected a whole number of at most 2147483647")]
    [InlineData("""{"port": 70000}""", "'port': saw 70000, expected 0 to 65535")]
    [InlineData("""{"serve": {"port": -1}}""", "'serve.port': saw -1, expected 0 to 65535")]
    [InlineData("""{"top-p": 2}""", "'top-p': top-p: 2, expected above 0, at most 1")]
    [InlineData("""{"kv-disk": "8GB"}""",
        "'kv-disk': '8GB' is no size: expected a number with KiB, MiB, GiB or TiB behind it, such as 8GiB")]
    [InlineData("""{"kv-disk": -1}""", "'kv-disk': '-1' is no size: expected a number with KiB, MiB, GiB or TiB behind it, such as 8GiB")]
    [InlineData("""{"kv-dir": "cache"}""", "'kv-dir': saw 'cache', expected a whole path, or one that begins with ~/")]
    public void A_value_out_of_its_range_is_told_whatever_the_verb(string text, string error) => Assert.Equal(error, Error(text));

    [Theory]
    [InlineData("{\"threads\": 1,\n\"port\" 2}", "2: no valid JSON: ")]
    [InlineData("{\"threads\": 1", "1: no valid JSON: ")]
    [InlineData("", "1: no valid JSON: ")]
    [InlineData("{\"threads\": 1, \"threads\": 2}", "no valid JSON: Duplicate property 'threads'")]
    [InlineData("[]", "saw a list, expected an object of settings")]
    public void A_file_that_is_no_object_of_json_is_told_with_the_line(string text, string error) =>
        Assert.StartsWith(error, Error(text), StringComparison.Ordinal);

    [Fact]
    public void A_file_that_cannot_be_read_is_told()
    {
        string path = _folder.Write("config.json", [0x7b, 0xff, 0x7d]);
        Assert.Equal($"{path}: byte 0xff at offset 1 is no UTF-8, expected text in UTF-8",
            Assert.Throws<UsageException>(() => ConfigFile.Read(RootVerb.Create(), path)).Message);
        string folder = Path.GetDirectoryName(path)!;
        Assert.Equal($"{folder}: a directory, expected a text file",
            Assert.Throws<UsageException>(() => ConfigFile.Read(RootVerb.Create(), folder)).Message);
    }

    [Fact]
    public void A_file_without_rights_to_it_is_told()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess, "needs files that this user may not read");
        if (OperatingSystem.IsWindows())
            return; // for the analyser
        string path = Write("{}");
        File.SetUnixFileMode(path, UnixFileMode.None);
        Assert.Contains("denied", Error2(path), StringComparison.Ordinal);

        static string Error2(string path) => Assert.Throws<UsageException>(() => ConfigFile.Read(RootVerb.Create(), path)).Message;
    }

    [Fact]
    public void Comments_commas_at_the_end_and_a_byte_order_mark_are_fine()
    {
        string path = Write("﻿{\n  // two are enough\n  \"threads\": 2,\n}");
        Assert.Equal(["2"], ConfigFile.Read(RootVerb.Create(), path).Find(["run"], Setting("threads"))!.Texts);
    }

    [Fact]
    public void The_section_of_a_verb_goes_before_what_holds_for_all()
    {
        ConfigFile file = ConfigFile.Read(RootVerb.Create(),
            Write("""{"threads": 1, "bench": {"threads": 2, "kv": {"threads": 3}}, "kv": {"model": "saga"}}"""));
        Assert.Equal(["1"], file.Find(["run"], Setting("threads"))!.Texts);
        Assert.Equal(["2"], file.Find(["bench"], Setting("threads"))!.Texts);
        Assert.Equal(["2"], file.Find(["bench", "serve"], Setting("threads"))!.Texts);
        Assert.Equal(["3"], file.Find(["bench", "kv"], Setting("threads"))!.Texts);
        Assert.Equal(["saga"], file.Find(["kv", "warm"], Setting("model"))!.Texts);
        Assert.Null(file.Find(["run"], Setting("model")));
        Assert.EndsWith("config.json: 'bench.kv.threads'", file.Find(["bench", "kv"], Setting("threads"))!.Place, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tilde_is_the_users_home()
    {
        ConfigFile file = ConfigFile.Read(RootVerb.Create(), Write("""{"model": "~/models/a.gguf", "alias": "a~/b"}"""));
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        Assert.Equal([Path.Combine(home, "models/a.gguf")], file.Find(["run"], Setting("model"))!.Texts);
        Assert.Equal(["a~/b"], file.Find(["serve"], Setting("alias"))!.Texts);
    }

    [Fact]
    public void No_setting_is_called_like_a_verb() =>
        Assert.Empty(Settings.Below(RootVerb.Create()).Select(setting => setting.Key)
            .Intersect(RootVerb.Create().Subcommands.Select(verb => verb.Name)));

    [Fact]
    public void A_secret_that_others_can_read_is_warned_of()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes");
        if (OperatingSystem.IsWindows())
            return; // for the analyser
        Directory.CreateDirectory(_folder["kvasir"]);
        string path = _folder.Write("kvasir/config.json", RawGguf.Bytes("""{"serve": {"api-key": "one-long-secret"}}"""));
        Dictionary<string, string> here = new() { ["XDG_CONFIG_HOME"] = Path.GetDirectoryName(Path.GetDirectoryName(path))! };
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        KvasirResult open = RunIn(here, "config");
        Assert.Equal($"warning: {path} holds a secret and others can read it: `chmod 600` keeps it\n", open.Errors);
        Assert.DoesNotContain("one-long-secret", open.Answer, StringComparison.Ordinal);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.Empty(RunIn(here, "config").Errors);
        _folder.Write("kvasir/config.json", RawGguf.Bytes("""{"threads": 1}"""));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        Assert.Empty(RunIn(here, "config").Errors);
    }

    static ISetting Setting(string key) => Settings.Below(RootVerb.Create()).First(setting => setting.Key == key);
}
