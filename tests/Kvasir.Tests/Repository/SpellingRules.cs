using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Kvasir.Cli.Output;
using Kvasir.Cli.Verbs;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Metrics;
using Kvasir.Server.Accounting;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Reuse;
using Kvasir.Tests.Server;
using Kvasir.Tests.Tokenization;

namespace Kvasir.Tests.Repository;

/// <summary>A tier and the reason of a miss have one spelling, wherever a program or a person reads of one.</summary>
public class SpellingRules
{
    const string Computed = "computed";

    static readonly string[] s_sources = [.. TierNames.All, Computed];

    [Fact]
    public void The_names_are_these()
    {
        Assert.Equal(["device", "host", "disk", "remote"], TierNames.All);
        string reasons = "never_seen evicted diverged other_model other_salt load_failed too_late below_block_size compute_cheaper window_gone";
        Assert.Equal(reasons.Split(' '), MissReasons.All);
    }

    [Fact]
    public void Metrics_carry_them()
    {
        ConcurrentBag<KeyValuePair<string, object?>> tags = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == KvCacheMetrics.MeterName)
                self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, _, measured, _) => Array.ForEach(measured.ToArray(), tags.Add));
        listener.Start();
        using TemporaryFolder folder = new();
        using LanguageModel model = LanguageModel.Load(SagaModel.Path);
        int[] prompt = [.. Enumerable.Range(0, 100).Select(i => 300 + i)];
        using (CachedEngine engine = new(model, CachedEngine.WithDisk(folder["kv"])))
        {
            engine.Ask(prompt);
            engine.Flush();
            engine.Drop(prompt, _ => true);
            engine.Ask(prompt);
        }
        string[] Values(params string[] keys) => [.. tags.Where(tag => keys.Contains(tag.Key)).Select(tag => (string)tag.Value!)];
        Assert.Superset(new HashSet<string> { "device", "disk" }, Values("from", "to").ToHashSet());
        Assert.Subset(TierNames.All.ToHashSet(), Values("from", "to", "tier").ToHashSet());
        Assert.Contains("never_seen", Values("reason"));
        Assert.Subset(MissReasons.All.ToHashSet(), Values("reason").ToHashSet());
    }

    [Fact]
    public async Task The_server_answers_with_them_and_shows_them_to_Prometheus()
    {
        await using ServerFixture server = await ServerFixture.Start(hasDisk: true);
        JsonObject chat = ServerFixture.Chat(ServerFixture.LongText(10));
        for (int i = 0; i < 2; i++)
            AssertSpelled(await server.Ask("/v1/chat/completions", chat, null, ("X-Kvasir-Explain", "1")));
        AssertSpelled(await server.Get("/v1/kv/stats"));
        AssertSpelled(await server.Get("/v1/kv/tree"));
        AssertSpelled(await server.Get("/v1/kv/requests"));
        string metrics = await server.Client.GetStringAsync("/metrics", ServerFixture.Patience);
        Assert.Contains("tier=\"device\"", metrics, StringComparison.Ordinal);
        Assert.Contains("reason=\"", metrics, StringComparison.Ordinal);
        AssertLabels(metrics);
    }

    [Fact]
    public void Every_miss_is_told_by_its_name()
    {
        foreach (MissReason reason in Enum.GetValues<MissReason>())
        {
            Miss miss = new(0, 1, reason, Tier.Disk, DateTimeOffset.UnixEpoch, Expected: 300, Got: 301, Detail: "gone");
            Assert.Equal(reason.Name(), ExplainedMiss.Of(miss, null, seesOthers: true).Reason);
            Assert.Equal(reason.Name(), RunMiss.Of(miss, Vocabularies.Saga).Reason);
            Assert.Contains(reason.Name().Replace('_', ' '), KvText.Of(miss, Vocabularies.Saga), StringComparison.Ordinal);
        }
        foreach (Tier tier in Enum.GetValues<Tier>())
            Assert.Equal(tier.Name(), ExplainedSpan.Of(new CacheSpan(0, 1, tier)).Source);
    }

    [Fact]
    public void The_page_knows_them()
    {
        string contract = Text("src/Kvasir.Server/Dashboard/src/contract.ts");
        string words = Text("src/Kvasir.Server/Dashboard/src/explain/words.ts");
        string[] tiers = Quoted(Regex.Match(contract, @"tierNames[^=]*= \[(.*?)\]").Groups[1].Value);
        Assert.Equal(TierNames.All.Take(tiers.Length), tiers);
        Assert.Equal(tiers, Quoted(Regex.Match(contract, "type TierName = (.*?);").Groups[1].Value));
        string reasons = Regex.Match(words, @"reasonNames[^=]*= \{(.*?)\}", RegexOptions.Singleline).Groups[1].Value;
        Assert.Equal(MissReasons.All, Found(reasons, @"(\w+): '"));
    }

    [Fact]
    public void Documents_and_dashboards_write_them()
    {
        string reasons = Regex.Match(Text("docs/http-api.md"), "Reasons: (.*?)\\.").Groups[1].Value;
        Assert.Equal(MissReasons.All, Found(reasons, "`(\\w+)`"));
        AssertLabels(Text("docs/grafana.json").Replace("\\\"", "\"", StringComparison.Ordinal));
        foreach (string path in RepositoryFiles.EndingIn(".md"))
            AssertLabels(Text(path));
    }

    /// <summary>Labels of tiers and reasons, as Prometheus writes them.</summary>
    static void AssertLabels(string text)
    {
        foreach (Match label in Regex.Matches(text, "\\b(tier|from|to|reason|kvasir_served_by)=~?\"([^\"]*)\""))
            Assert.Contains(label.Groups[2].Value, label.Groups[1].Value == "reason" ? MissReasons.All : s_sources);
    }

    /// <summary>The fields of an answer that say a tier or a reason, however deep they stand.</summary>
    static void AssertSpelled(JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.Array)
            Assert.All(json.EnumerateArray(), AssertSpelled);
        if (json.ValueKind != JsonValueKind.Object)
            return;
        foreach (JsonProperty field in json.EnumerateObject())
        {
            if (field.Value.ValueKind == JsonValueKind.String && field.Name is "tier" or "source" or "reason")
                Assert.Contains(field.Value.GetString(), field.Name == "reason" ? MissReasons.All : s_sources);
            if (field.Value.ValueKind == JsonValueKind.Object && field.Name is "reused" or "tiers" or "misses")
                foreach (JsonProperty each in field.Value.EnumerateObject())
                    Assert.Contains(each.Name, field.Name == "misses" ? MissReasons.All : TierNames.All);
            AssertSpelled(field.Value);
        }
    }

    static string Text(string path) => File.ReadAllText(Path.Combine(Checkout.Root, path));

    static string[] Quoted(string list) => Found(list, "'(\\w+)'");

    static string[] Found(string text, string pattern) => [.. Regex.Matches(text, pattern).Select(match => match.Groups[1].Value)];
}
