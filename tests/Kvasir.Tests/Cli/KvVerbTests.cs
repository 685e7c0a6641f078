using System.Globalization;
using System.Text;
using System.Text.Json;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.KvCache.Disk;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary><c>kvasir kv</c>: what is kept, what would be found, and the care of it.</summary>
public sealed class KvVerbTests : IDisposable
{
    readonly TemporaryFolder _folder = new();
    readonly string _document;

    public KvVerbTests()
    {
        _document = _folder["document.txt"];
        File.WriteAllText(_document, "Helga has five dogs. Rolf works as a fisher. Mats likes to eat soup. The code of the library is "
            + "9355. Runa keeps a hook in the kitchen.\n");
    }

    public void Dispose() => _folder.Dispose();

    string Segment => Directory.GetFiles(Path.Combine(_folder["cache"], "kvasir", "kv"), "blocks-*.kv").Single();

    KvasirResult Kv(params IEnumerable<string> args) => RunWith(_folder["cache"], ["kv", .. args]);

    void Ask(string question) => _ = RunWith(_folder["cache"], "run", "-f", _document, question, "-n", "4").Answer;

    int Blocks() => Assert.Single(Kv("stat", "--json").Json.GetProperty("models").EnumerateArray()).GetProperty("blocks").GetInt32();

    [Fact]
    public void Nothing_is_cached_yet()
    {
        foreach (string verb in (string[])["stat", "ls", "tree", "verify", "gc"])
        {
            KvasirResult result = Kv(verb, "--json");
            _ = result.Json;
            Assert.StartsWith("nothing is cached yet in ", result.Errors, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Statistics_have_denominators_and_prefixes_share_their_beginning()
    {
        Ask("How many dogs does Helga have?");
        Ask("How many cats does Helga have?");
        JsonElement stat = Kv("stat", "--json").Json,
            model = Assert.Single(stat.GetProperty("models").EnumerateArray()), hits = stat.GetProperty("hits");
        Assert.Equal("Kvasir Saga", model.GetProperty("model").GetString());
        long looked = hits.GetProperty("lookup_tokens").GetInt64(), found = hits.GetProperty("disk").GetInt64();
        long missed = hits.GetProperty("misses").EnumerateObject().Sum(miss => miss.Value.GetInt64());
        Assert.Equal(looked, found + missed + 2); // and the last token of each
        Assert.True(found > looked / 3, $"{found} of {looked}");
        Assert.True(stat.GetProperty("disk").GetProperty("load_bytes_per_s").GetDouble() > 0);

        JsonElement[] nodes = [.. Kv("tree", "--json").Json.GetProperty("nodes").EnumerateArray()];
        JsonElement root = Assert.Single(nodes, node => node.GetProperty("parent").ValueKind == JsonValueKind.Null);
        Assert.Equal(2, nodes.Count(node => node.GetProperty("parent").GetString() == root.GetProperty("key").GetString()));
        Assert.All(nodes, node => Assert.Equal(JsonValueKind.Null, node.GetProperty("text").ValueKind)); // text only for who asks
        Assert.Contains("Helga has five dogs", Kv("tree", "--text").Answer, StringComparison.Ordinal);
        Assert.DoesNotContain("Helga", Kv("tree").Answer, StringComparison.Ordinal);
        JsonElement[] prefixes = [.. Kv("ls", "--json").Json.GetProperty("prefixes").EnumerateArray()];
        Assert.Equal(2, prefixes.Length);
        int blocks = Kv("ls", "--blocks", "--json").Json.GetProperty("prefixes").GetArrayLength();
        Assert.Equal(model.GetProperty("blocks").GetInt32(), blocks);
    }

    [Fact]
    public void A_lookup_says_what_run_would_find_and_changes_nothing()
    {
        Ask("How many dogs does Helga have?");
        JsonElement same = Kv("lookup", "-f", _document, "How many dogs does Helga have?", "--json").Json;
        int prompt = same.GetProperty("prompt_tokens").GetInt32();
        Assert.Equal([$"0-{prompt - 1} disk", $"{prompt - 1}-{prompt} compute"], Spans(same));
        JsonElement other = Kv("lookup", "-f", _document, "How many cats does Helga have?", "--json").Json,
            miss = Assert.Single(other.GetProperty("miss").EnumerateArray());
        Assert.Equal("diverged", miss.GetProperty("reason").GetString());
        Assert.EndsWith("\" cats\" was \" dogs\"", miss.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(Spans(other), Spans(Kv("lookup", "-f", _document, "How many cats does Helga have?", "--json").Json));
        Kv("lookup").Fails(2, "no prompt");

        static string[] Spans(JsonElement lookup) =>
            [.. lookup.GetProperty("spans").EnumerateArray()
                .Select(span => $"{span.GetProperty("from")}-{span.GetProperty("to")} {span.GetProperty("source").GetString()}")];
    }

    [Fact]
    public void A_warm_file_is_found_by_any_question_and_can_be_pinned_for_a_time()
    {
        JsonElement warm = Kv("warm", "-f", _document, "--json").Json;
        int tokens = warm.GetProperty("tokens").GetInt32();
        Assert.Equal((tokens, tokens), (warm.GetProperty("computed").GetInt32(), warm.GetProperty("on_disk").GetInt32()));
        JsonElement run = RunWith(_folder["cache"], "run", "-f", _document, "Who is Rolf?", "-n", "2", "--json").Json;
        Assert.Equal(tokens, run.GetProperty("kv").GetProperty("reused").GetProperty("disk").GetInt32());

        JsonElement again = Kv("warm", "-f", _document, "--json").Json;
        // its tail is the beginning of the question's block
        Assert.Equal((1, tokens), (again.GetProperty("computed").GetInt32(), again.GetProperty("on_disk").GetInt32()));

        JsonElement pin = Kv("pin", "-f", _document, "--owner", "me", "--ttl", "2h", "--json").Json;
        int blocks = pin.GetProperty("blocks").GetInt32();
        Assert.Equal((tokens + 15) / 16, blocks);
        Assert.Contains("me until", Kv("ls").Answer, StringComparison.Ordinal);
        Assert.Equal(0, Kv("unpin", "--owner", "you", "--json").Json.GetProperty("blocks").GetInt32());
        Assert.Equal(blocks, Kv("unpin", "--owner", "me", "--json").Json.GetProperty("blocks").GetInt32());
        Kv("pin", "-f", _document, "--ttl", "2x").Fails(2, "'2x' is no time");
        Kv("pin", "-f", _document, "--owner", "").Fails(2, "--owner");
    }

    [Fact]
    public void Verify_finds_damage_and_forgets_it()
    {
        Ask("How many dogs does Helga have?");
        int good = Kv("verify", "--json").Json.GetProperty("good").GetInt32();
        Assert.Equal(Blocks(), good);
        using (FileStream file = File.Open(Segment, FileMode.Open, FileAccess.ReadWrite))
        {
            file.Position = 4096 + 1000;
            file.WriteByte(0xAB);
        }
        KvasirResult result = Kv("verify", "--json");
        Assert.Equal(1, result.ExitCode);
        JsonElement report = JsonElement.Parse(result.Output);
        Assert.Equal((good - 1, 1, 1), (report.GetProperty("good").GetInt32(), report.GetProperty("bad").GetInt32(),
            report.GetProperty("damage").GetProperty("wrong_payload_checksum").GetInt32()));
        Assert.Equal(good - 1, Kv("verify", "--json").Json.GetProperty("good").GetInt32());
    }

    [Fact]
    public void Clear_and_gc_give_the_room_back()
    {
        Ask("How many dogs does Helga have?");
        string fingerprint = Kv("stat", "--json").Json.GetProperty("models")[0].GetProperty("fingerprint").GetString()!;
        Kv("clear").Fails(2, "--all forgets everything");
        Kv("clear", "--fingerprint", "beef").Fails(2, "0 models begin so");
        int blocks = Blocks();
        Assert.Equal(blocks, Kv("clear", "--fingerprint", fingerprint[..8], "--json").Json.GetProperty("blocks").GetInt32());
        Assert.Equal(0, Kv("stat", "--json").Json.GetProperty("disk").GetProperty("bytes").GetInt64());
        Ask("How many dogs does Helga have?");
        File.WriteAllBytes(Path.Combine(_folder["cache"], "kvasir", "kv", "blocks-000999.kv"), new byte[5000]);
        Assert.Equal(5000, Kv("gc", "--json").Json.GetProperty("bytes_given_back").GetInt64());
        Assert.True(Kv("gc", "--kv-disk", "1MiB", "--json").Json.GetProperty("bytes_given_back").GetInt64() > 60 << 20);
        Ask("How many dogs does Helga have?"); // and it begins anew
        Assert.Equal(blocks, Kv("verify", "--json").Json.GetProperty("good").GetInt32());
    }

    [Fact]
    public void Pinned_files_survive_a_gc_that_shrinks()
    {
        int blocks = Kv("pin", "-f", _document, "--json").Json.GetProperty("blocks").GetInt32();
        Assert.Equal(blocks, Kv("stat", "--json").Json.GetProperty("pinned_blocks").GetInt32());
        Assert.Contains($"{blocks} of them pinned", Kv("stat").Answer, StringComparison.Ordinal);
        _ = Kv("gc", "--kv-disk", "1MiB").Answer;
        Assert.Equal(blocks, Kv("verify", "--json").Json.GetProperty("good").GetInt32());
        _ = Kv("unpin").Answer;
        _ = Kv("gc", "--kv-disk", "1MiB").Answer;
        Assert.Equal(0, Kv("verify", "--json").Json.GetProperty("good").GetInt32());
    }

    [Fact]
    public void Trees_may_be_deeper_than_serializers_like()
    {
        const int depth = 100; // a long conversation: every turn leaves a tail behind and goes on beside it
        using DiskFixture disk = new();
        using (DiskTier tier = disk.Open())
            Assert.Equal(1, DiskFixture.Write(tier, DiskFixture.Small, 0));
        using (Catalogue catalogue = Catalogue.Open(disk.Path, canWrite: true))
            for (int level = 1; level <= depth; level++)
                for (int side = 0; side < 2; side++)
                    catalogue.Execute(
                        "INSERT INTO blocks SELECT place + $0, $1, $2, model, tokens, used, at, change FROM blocks WHERE key = $3",
                        level * 2 + side, Key(level, side), Key(level - 1, 0), DiskFixture.Key(0).Digest.ToArray());
        JsonElement[] nodes = [.. Kv("tree", "--json", "--kv-dir", disk.Path).Json.GetProperty("nodes").EnumerateArray()];
        Assert.Equal(2 * depth + 1, nodes.Length);
        Assert.Equal(16 * (depth + 1), nodes.Max(node => node.GetProperty("to").GetInt32()));
        string text = Kv("tree", "--kv-dir", disk.Path).Answer;
        int shown = text.Split(" tokens (to ").Length - 1,
            hidden = int.Parse(text.Split("… ")[1].Split(' ')[0], CultureInfo.InvariantCulture);
        Assert.Equal(2 * depth + 1, shown + hidden);

        static byte[] Key(int level, int side) => level == 0
            ? DiskFixture.Key(0).Digest.ToArray()
            : KeyChain.Next(default, [level, side]).Digest.ToArray();
    }

    [Fact]
    public void Rows_with_nonsense_for_keys_are_not_followed_in_circles()
    {
        using DiskFixture disk = new();
        using (DiskTier tier = disk.Open())
            Assert.Equal(1, DiskFixture.Write(tier, DiskFixture.Small, 0));
        using (Catalogue catalogue = Catalogue.Open(disk.Path, canWrite: true))
            foreach ((string key, byte[] parent) in ((string, byte[])[])[("short", DiskFixture.Key(0).Digest.ToArray()),
                ("shorter", new byte[Digest.Size])])
                catalogue.Execute("INSERT INTO blocks SELECT max(place) + 1, $0, $1, model, tokens, used, at, change FROM blocks",
                    Encoding.UTF8.GetBytes(key), parent);
        Assert.Equal(1, Kv("ls", "--json", "--kv-dir", disk.Path).Json.GetProperty("prefixes").GetArrayLength());
    }

    [Fact]
    public void Text_is_not_read_with_the_tokenizer_of_another_model()
    {
        Ask("How many dogs does Helga have?");
        string other = _folder["other.gguf"];
        _ = Run("synth", "smollm2-135m@q4_0", other).Answer;
        JsonElement[] nodes = [.. Kv("tree", "--text", "-m", other, "--json").Json.GetProperty("nodes").EnumerateArray()];
        Assert.NotEmpty(nodes);
        Assert.All(nodes, node => Assert.Equal(JsonValueKind.Null, node.GetProperty("text").ValueKind));
    }

    [Fact]
    public async Task An_interrupted_pin_pins_nothing_and_says_so()
    {
        File.WriteAllText(_document,
            string.Concat(Enumerable.Range(0, 1500).Select(i => $"Helga has {i} dogs. Rolf works as fisher number {i}.\n")));
        using KvasirProcess process = StartWith(_folder["cache"], "kv", "pin", "-f", _document, "-c", "65536");
        await process.FirstNote.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken); // it has begun to compute
        process.Interrupt();
        KvasirResult result = process.Finish();
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.EndsWith("kvasir: interrupted: nothing is pinned\n", result.Errors, StringComparison.Ordinal);
        Assert.Equal(0, Kv("stat", "--json").Json.GetProperty("pinned_blocks").GetInt32());
    }

    [Fact]
    public void Standard_input_is_not_read_twice() => Kv("lookup", "-", "-f", "-").Fails(2, "one standard input");
}
