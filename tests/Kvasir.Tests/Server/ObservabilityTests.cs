using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Kvasir.Server;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>What the server shows: metrics under the names that others know, and a page that loads nothing from elsewhere.</summary>
public sealed class ObservabilityTests
{
    [Fact]
    public async Task Metrics_count_what_was_served()
    {
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions { VllmMetrics = true }, hasDisk: true);
        for (int i = 0; i < 2; i++)
            await server.Ask("/v1/chat/completions", ServerFixture.Chat(ServerFixture.LongText(10)));
        string metrics = await server.Client.GetStringAsync("/metrics", ServerFixture.Patience);
        foreach (string name in (string[])["gen_ai_server_request_duration_seconds_bucket",
            "gen_ai_server_time_to_first_token_seconds_count", "gen_ai_server_time_per_output_token_seconds_sum",
            "kvasir_kv_lookup_tokens", "kvasir_kv_hit_tokens", "kvasir_kv_used_bytes{tier=\"device\"}",
            "kvasir_kv_leased_blocks{tier=\"disk\"}", "kvasir_requests_running 0"])
            Assert.Contains(name, metrics, StringComparison.Ordinal);
        Assert.Contains("vllm:request_success_total{model_name=\"kvasir-saga\"} 2\n", metrics, StringComparison.Ordinal);
        string[] names =
            [.. metrics.Split('\n').Where(line => line.StartsWith("# TYPE", StringComparison.Ordinal)).Select(line => line.Split(' ')[2])];
        Assert.Equal(names.Distinct(), names);
        Assert.All(metrics.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            line => Assert.True(line[0] == '#' || double.TryParse(line[(line.LastIndexOf(' ') + 1)..], out _), line));
    }

    [Fact]
    public async Task The_buckets_of_a_histogram_ascend_to_its_count()
    {
        await using ServerFixture server = await ServerFixture.Start();
        await server.Ask("/v1/chat/completions", ServerFixture.Chat(ServerFixture.LongText(10)));
        string metrics = await server.Client.GetStringAsync("/metrics", ServerFixture.Patience);
        Match[] counts = Regex.Matches(metrics, @"(?m)^(\w+)_count\{(.+)\} (\d+)$").ToArray();
        Assert.Contains(counts, count => count.Groups[1].Value == "gen_ai_server_request_duration_seconds");
        foreach (Match count in counts)
        {
            string series = $"(?m)^{count.Groups[1]}_bucket{{{Regex.Escape(count.Groups[2].Value)},le=\"(.+)\"}} (\\d+)$";
            (string Bound, long Below)[] buckets =
                [.. Regex.Matches(metrics, series).Select(match => (match.Groups[1].Value, long.Parse(match.Groups[2].Value)))];
            Assert.Equal(buckets.Select(bucket => bucket.Below).Order(), buckets.Select(bucket => bucket.Below));
            Assert.Equal(("+Inf", long.Parse(count.Groups[3].Value)), buckets[^1]);
        }
    }

    [Fact]
    public async Task The_dashboard_for_Grafana_asks_for_metrics_that_there_are()
    {
        await using ServerFixture server = await ServerFixture.Start(hasDisk: true, options: new ServerOptions { AllowedRetention = null });
        foreach (string policy in (string[])["none", "none", "h2o:25%,min=16,sinks=1,recent=1"])
        {
            JsonObject chat = ServerFixture.Chat(ServerFixture.LongText(10));
            chat["kv_retention"] = policy;
            await server.Ask("/v1/chat/completions", chat);
        }
        string metrics = await server.Client.GetStringAsync("/metrics", ServerFixture.Patience);
        string[] asked = [.. System.Text.RegularExpressions.Regex.Matches(
            await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "docs/grafana.json"), ServerFixture.Patience),
            "(kvasir|gen_ai)_[a-z_]+[a-z]").Select(match => match.Value).Distinct().Except(["kvasir_served_by"])];
        Assert.True(asked.Length > 10);
        // until something goes wrong
        foreach (string name in asked.Except(["kvasir_kv_evictions_total", "kvasir_kv_corrupt_total", "kvasir_kv_write_dropped_total"]))
            Assert.Contains($"\n{name}{{", metrics.Replace(" ", "{", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_page_may_load_only_what_this_server_has()
    {
        await using ServerFixture server = await ServerFixture.Start();
        using HttpRequestMessage browser = new(HttpMethod.Get, "/");
        browser.Headers.Accept.ParseAdd("text/html");
        using HttpResponseMessage page = await server.Client.SendAsync(browser, ServerFixture.Patience);
        string html = await page.Content.ReadAsStringAsync(ServerFixture.Patience),
            policy = page.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.DoesNotMatch("(src|href)=.(https?:)?//", html);
        using HttpRequestMessage request = new(HttpMethod.Get, "/assets/kvasir.js");
        request.Headers.AcceptEncoding.ParseAdd("gzip");
        using HttpResponseMessage script = await server.Client.SendAsync(request, ServerFixture.Patience);
        Assert.Equal("gzip", script.Content.Headers.ContentEncoding.Single());
        Assert.InRange(script.Content.Headers.ContentLength!.Value, 1000, 100_000);
    }

    [Fact]
    public void The_page_that_is_served_is_that_of_its_sources()
    {
        string folder = Path.Combine(Checkout.Root, "src/Kvasir.Server/Dashboard");
        string[] sources = [.. Directory.GetFiles(Path.Combine(folder, "src"), "*", SearchOption.AllDirectories).Concat(
            ((string[])["index.html", "package.json", "tsconfig.json", "vite.config.ts"]).Select(name => Path.Combine(folder, name)))
            .Select(path => Path.GetRelativePath(folder, path).Replace('\\', '/')).Order(StringComparer.Ordinal)];
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string source in sources)
        {
            digest.AppendData(Encoding.UTF8.GetBytes($"{source}\n"));
            digest.AppendData(File.ReadAllBytes(Path.Combine(folder, source)));
        }
        string expected = File.ReadAllText(Path.Combine(folder, "dist/source.sha256")).Trim();
        Assert.True(expected.StartsWith(Convert.ToHexStringLower(digest.GetHashAndReset()), StringComparison.Ordinal),
            "dist/ is older than its sources: npm ci && npm run build in src/Kvasir.Server/Dashboard");
    }
}
