using System.Diagnostics;
using System.Security.Cryptography;
using System.Threading.Channels;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache;
using Kvasir.KvCache.Archive;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Views;
using Kvasir.Server.Accounting;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Kvasir.Server.Kv;

/// <summary><c>/v1/kv</c>: what the cache holds, and what may be done with it.</summary>
sealed class KvEndpoints(CompletionService service, RequestLog log, Func<KvNode>? node, CancellationToken stopping)
{
    const int Version = 1, MostNodes = 50_000, BlocksPerNode = 16, MostViews = 1000;

    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30), s_pace = TimeSpan.FromSeconds(1), s_day = TimeSpan.FromDays(1);

    readonly long _start = Stopwatch.GetTimestamp();
    readonly byte[] _views = RandomNumberGenerator.GetBytes(32); // their names come from prefixes and salts, which nobody is told

    ServedModel Model => service.Model;

    TieredKvCache Cache => service.Model.Engine.Cache;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/kv/stats", context => context.Response.WriteAsJsonAsync(Stats(), KvJson.Default.KvStats));
        routes.MapGet("/v1/kv/tree", Tree);
        routes.MapGet("/v1/kv/views", Views);
        routes.MapGet("/v1/kv/requests", context => context.Response.WriteAsJsonAsync(new KvRequests(log.Last), KvJson.Default.KvRequests));
        routes.MapGet("/v1/kv/events", Events);
        routes.MapPost("/v1/kv/lookup", context => WithBody(context, Endpoints.KvLookup, Lookup));
        routes.MapPost("/v1/kv/warm", context => WithBody(context, Endpoints.KvWarm, Warm));
        routes.MapPost("/v1/kv/pin", context => WithBody(context, Endpoints.KvPin, Pin));
        routes.MapPost("/v1/kv/unpin", context => WithBody(context, Endpoints.KvUnpin, Unpin));
        routes.MapPost("/v1/kv/evict", context => WithBody(context, Endpoints.KvEvict, Evict));
        routes.MapPost("/v1/kv/export", context => WithBody(context, Endpoints.KvExport, Export));
        routes.MapPost("/v1/kv/import", Import);
    }

    /// <summary>All numbers at this moment.</summary>
    public KvStats Stats()
    {
        SchedulerCounts serving = Model.Engine.Serving;
        RequestTotals totals = log.Totals;
        return new KvStats(
            Version, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0, Stopwatch.GetElapsedTime(_start).TotalSeconds,
            new KvModel(Model.Id, Cache.Fingerprint.ToString(), Cache.Layout.BlockTokens, Cache.Layout.BytesPerToken, Model.Engine.Context),
            [.. Tiers(totals)],
            new KvTokens(totals.PromptTokens, totals.ReusedTokens, totals.ComputedTokens, totals.CompletionTokens), log.Misses,
            new KvRequestCounts(serving.Running, serving.Waiting, totals.Finished, totals.Cancelled, totals.Rejected, totals.Failed,
                serving.Preemptions), totals.SavedS, log.Ttft)
        {
            Node = node?.Invoke(),
            Streaming = KvStreaming.Of(Model.Engine),
            Windows = KvWindows.Of(Cache),
            Problems = Problems() is { Count: > 0 } problems ? problems : null,
            PeerTokens = totals.TokensFrom(Tier.Peer),
            Views = KvViewCounts.Of(Cache.Views.All, Cache.Views.Reclaimable * Cache.Layout.StrideBytes),
        };
    }

    /// <summary>That the server answers, and which tiers it has to do without.</summary>
    public HealthStatus Health() => new("ok") { Degraded = Problems() is { Count: > 0 } problems ? [.. problems.Keys] : null };

    Dictionary<string, string> Problems() => Enum.GetValues<Tier>().Select(tier => (tier.Name(), Problem: Cache.ProblemOf(tier)))
        .Where(pair => pair.Problem is not null).ToDictionary(pair => pair.Item1, pair => pair.Problem!);

    Task Views(HttpContext context)
    {
        int most = int.TryParse(context.Request.Query["limit"], out int limit) ? Math.Clamp(limit, 1, MostViews) : 20;
        IReadOnlyList<RetainedView> views = Cache.Views.All;
        return context.Response.WriteAsJsonAsync(
            new KvViewsAnswer(Version, views.Count > most, [.. views.Take(most).Select(View)]), KvJson.Default.KvViewsAnswer);
    }

    KvView View(RetainedView view) => new(IdOf(view), view.Name.Policy, view.Positions, ViewHeads.Counts(view),
        Math.Round(ViewHeads.Share(view), 4), view.Bytes, view.ExactBytes, view.Codecs.Keys.Name, view.Codecs.Values.Name,
        ViewHeads.Rounded(view.Mass?.Mean), ViewHeads.Rounded(view.Mass?.Least), view.UnreadBytes,
        KnownLimits.Saved(view.UnreadBytes)?.TotalSeconds);

    string IdOf(RetainedView view) => Convert.ToHexStringLower(HMACSHA256.HashData(_views, view.Name.Key().Digest.ToArray())[..8]);

    IEnumerable<KvTier> Tiers(RequestTotals totals)
    {
        yield return Of(Tier.Device, Cache.Device.Content(), Cache.Windows?.Device.Content());
        foreach (ITier tier in Cache.Tiers)
            yield return Of(tier.Tier, tier.Content(), Cache.Windows?.Tiers.FirstOrDefault(twin => twin.Tier == tier.Tier)?.Content());

        KvTier Of(Tier tier, TierContent content, TierContent? windows)
        {
            ((long into, TimeSpan intoTime), (long outOf, TimeSpan outTime)) = (Into(tier), OutOf(tier));
            TierContent? beside = content.Directory is null ? windows : null; // a place that both share has counted both
            return new KvTier(
                tier.Name(), content.CapacityBytes + (beside?.CapacityBytes ?? 0), content.UsedBytes + (beside?.UsedBytes ?? 0),
                content.CapacityBlocks, content.Blocks, content.HeldBlocks, content.PinnedBlocks, content.Evictions,
                totals.TokensFrom(tier), into, intoTime.TotalSeconds, outOf, outTime.TotalSeconds)
            {
                Directory = content.Directory,
                Problem = Cache.ProblemOf(tier),
            };
        }

        (long, TimeSpan) Into(Tier tier) => Both(cache => cache.Traffic.Into(tier));

        (long, TimeSpan) OutOf(Tier tier) => Both(cache => cache.Traffic.OutOf(tier));

        (long, TimeSpan) Both(Func<TieredKvCache, (long Bytes, TimeSpan Time)> of)
        {
            (long bytes, TimeSpan time) = of(Cache);
            return Cache.Windows is { } windows && of(windows) is var more ? (bytes + more.Bytes, time + more.Time) : (bytes, time);
        }
    }

    Task Tree(HttpContext context)
    {
        bool shows = context.Request.Query["text"] is ["1"] or ["true"];
        if (shows && !service.Options.ShowsText)
            shows = false;
        int most = int.TryParse(context.Request.Query["limit"], out int limit) ? Math.Clamp(limit, 1, MostNodes) : 2000;
        int mostBlocks = most * BlocksPerNode; // of a large cache those used last: a page asks for it again and again
        IReadOnlyList<CachedBlock> blocks = Cache.Blocks(mostBlocks);
        BlockRun<CachedBlock>[] runs = [.. BlockRuns.Of(blocks).SelectMany(root => root.All()).Take(most + 1)];
        return context.Response.WriteAsJsonAsync(new KvTreeAnswer(Version, shows, runs.Length > most || blocks.Count >= mostBlocks,
            [.. runs.Take(most).Select(run => Node(run, shows))]), KvJson.Default.KvTreeAnswer);
    }

    KvTreeNode Node(BlockRun<CachedBlock> run, bool shows)
    {
        DateTimeOffset? used = run.Blocks.Max(block => block.Used);
        string? text = shows ? Model.Engine.Model.Tokenizer.Decode([.. run.Blocks.SelectMany(block => block.Tokens).Take(200)
            .Where(token => token >= 0 && token < Model.Engine.Model.Config.Vocabulary)]) : null;
        return new KvTreeNode(
            run.Last.Key.ToString(), run.BlocksBefore == 0 ? null : run.Blocks[0].Parent.ToString(), run.Before,
            run.Before + run.Tokens, run.Blocks.Count,
            TierNames.All.ToDictionary(name => name, name => run.Blocks.Count(block => block.Tiers.Any(tier => tier.Name() == name))),
            used?.ToUnixTimeSeconds(), run.Blocks.Any(block => block.IsPinned), run.Blocks.Any(block => block.IsLeased), text);
    }

    async Task Events(HttpContext context)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        Channel<RequestRecord> requests = log.Listen();
        try
        {
            using EventStream events = new(context.Response);
            using PeriodicTimer pace = new(s_pace);
            do
            {
                while (requests.Reader.TryRead(out RequestRecord? record))
                    events.Send(record, KvJson.Default.RequestRecord, "request");
                events.Send(Stats(), KvJson.Default.KvStats, "stats");
                await events.Flush(over.Token);
            }
            while (await pace.WaitForNextTickAsync(over.Token));
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // whoever listened has gone, or the server goes
        }
        finally
        {
            log.Leave(requests);
        }
    }

    async Task Lookup(HttpContext context, Field body)
    {
        int[] tokens = KvTarget.RequiredPrompt(body, Model);
        PrefixLookup lookup = await Cache.Lookup(tokens, RequestReader.Salt(body, Gate.PrincipalOf(context)));
        await context.Response.WriteAsJsonAsync(new KvLookupAnswer(tokens.Length,
            Explanation.Of(lookup, service.Options.ShowsText ? Model.Engine.Model.Tokenizer : null)), KvJson.Default.KvLookupAnswer);
    }

    async Task Warm(HttpContext context, Field body)
    {
        IDurableTier? to = WarmedTier(body);
        CompletionRequest request = new()
        {
            Endpoint = "/v1/kv/warm",
            Id = $"warm-{Guid.NewGuid():N}",
            Prompts = [KvTarget.RequiredPrompt(body, Model)],
            Options = new GenerationOptions { MaxTokens = 0, WantsHidden = true },
            Principal = Gate.PrincipalOf(context),
            Salt = RequestReader.Salt(body, Gate.PrincipalOf(context)),
        };
        await service.Serve(context, request, async run =>
        {
            GenerationResult result = (await run.Results)[0];
            Explanation explanation = Explanation.Of(result,
                service.Options.ShowsText ? Model.Engine.Model.Tokenizer : null, seesOthers: true);
            int? kept = to is null ? null : await Keep(to, request.Prompts[0], request.Salt);
            await context.Response.WriteAsJsonAsync(new KvWarmAnswer(result.PromptTokens, explanation)
            {
                KeptTokens = kept is { } tokens ? new Dictionary<string, int> { [to!.Tier.Name()] = tokens } : null,
            }, KvJson.Default.KvWarmAnswer);
            return "stop";
        });
    }

    /// <summary>The tier in which a prompt has to be in the end; null when that is all the same.</summary>
    IDurableTier? WarmedTier(Field body)
    {
        if (body["to"].OneOf(Tier.Disk.Name(), Tier.Remote.Name()) is not { } name)
            return null;
        return Cache.DurableTiers.FirstOrDefault(tier => tier.Tier.Name() == name)
            ?? throw new RequestException(409, $"to: there is no {name} tier that can be written{Problem()}", "to", "no_such_tier");
    }

    /// <summary>Waits until all of a prompt is in a tier.</summary>
    async Task<int> Keep(IDurableTier tier, int[] prompt, byte[] salt)
    {
        await Guarded(() => Cache.Keep(Cache.Keys(prompt, salt), s_patience));
        int kept = await Cache.CountKept(tier, prompt, salt);
        return kept == prompt.Length
            ? kept
            : throw new RequestException(409, $"to: {kept} of {prompt.Length} tokens are in the {tier.Tier.Name()} tier{Problem()}", "to", "not_kept");
    }

    string Problem() => Cache.Problem is { } problem ? $" ({problem})" : "";

    async Task Pin(HttpContext context, Field body)
    {
        TimeSpan time = body["ttl"].IsAbsent ? s_day : RequestReader.Time(body["ttl"]);
        string owner = body["owner"].Text(64) is { Length: > 0 } name ? name : Gate.PrincipalOf(context).Name;
        IReadOnlyList<BlockKey> keys = KvTarget.Path(body, Model, Gate.PrincipalOf(context));
        if (Cache.Durable is null)
            throw new RequestException(409,
                $"nothing can be kept: there is no disk tier{(Cache.Problem is { } problem ? $" ({problem})" : "")}", code: "no_disk_tier");
        DateTimeOffset until = DateTimeOffset.UtcNow + time;
        int pinned = await Guarded(() => Cache.Pin(keys, owner, until, s_patience));
        await context.Response.WriteAsJsonAsync(new KvPinned(pinned, until.ToUnixTimeMilliseconds() / 1000.0, owner),
            KvJson.Default.KvPinned);
    }

    async Task Unpin(HttpContext context, Field body)
    {
        if (Cache.Durable is null)
            throw new RequestException(409, "nothing is kept: there is no disk tier", code: "no_disk_tier");
        string? owner = body["owner"].Text(64);
        if (owner is { Length: > 0 })
            KvTarget.CheckAlone("owner", body);
        IReadOnlyList<BlockKey>? keys = owner is { Length: > 0 } ? null : KvTarget.Path(body, Model, Gate.PrincipalOf(context));
        int unpinned = await Guarded(() => keys is null ? Cache.Unpin(owner!) : Cache.Unpin(keys));
        await context.Response.WriteAsJsonAsync(new KvUnpinned(unpinned), KvJson.Default.KvUnpinned);
    }

    async Task Evict(HttpContext context, Field body)
    {
        Tier? tier = body["tier"].OneOf([.. TierNames.All]) is { } name && TierNames.TryParse(name, out Tier named) ? named : null;
        bool all = body["all"].Truth() ?? false;
        if (all)
            body.CheckAlternatives("all", "id");
        IReadOnlyList<BlockKey> keys = all
            ? [.. Cache.Blocks(KvTarget.MostBlocks).Select(block => block.Key)]
            : KvTarget.Subtree(body["id"], Cache);
        (int evicted, int kept) = await Guarded(() => Cache.Evict(keys, tier));
        int views = all && tier is null or Tier.Device ? Cache.Views.Clear() : 0; // what is left of a prefix goes with everything
        await context.Response.WriteAsJsonAsync(new KvEvicted(evicted, kept, views), KvJson.Default.KvEvicted);
    }

    async Task Export(HttpContext context, Field body)
    {
        IReadOnlyList<BlockKey> keys = KvTarget.Path(body, Model, Gate.PrincipalOf(context));
        context.Response.ContentType = KvArchive.ContentType;
        await KvArchive.Write(Cache, keys, context.Response.Body, context.RequestAborted);
    }

    async Task Import(HttpContext context)
    {
        BodyStream.CheckPlain(context);
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null; // an archive is read block by block, and has a bound of its own
        try
        {
            KvArchiveCounts counts = await KvArchive.Read(Cache, context.Request.Body, context.RequestAborted);
            await context.Response.WriteAsJsonAsync(new KvImported(counts.Blocks, counts.Imported, counts.Known, counts.NoRoom),
                KvJson.Default.KvImported);
        }
        catch (InvalidDataException e)
        {
            throw new RequestException(400, e.Message, code: "invalid_archive");
        }
        catch (IOException e) when (e is not BadHttpRequestException)
        {
            throw RequestBody.Broken();
        }
    }

    Task WithBody(HttpContext context, Endpoints endpoint, Func<HttpContext, Field, Task> handle) =>
        RequestFields.Read(context, endpoint, body =>
        {
            RequestReader.CheckModel(body, Model);
            return handle(context, body);
        });

    /// <summary>Work that waits for the disk, off the threads that serve; what the disk refuses is told.</summary>
    static async Task<T> Guarded<T>(Func<T> work)
    {
        try
        {
            return await Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch (IOException e)
        {
            throw new RequestException(409, e.Message, code: "disk_tier");
        }
    }
}
