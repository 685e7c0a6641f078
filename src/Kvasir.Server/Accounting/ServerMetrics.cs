using System.Diagnostics;
using System.Diagnostics.Metrics;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Views;

namespace Kvasir.Server.Accounting;

/// <summary>
/// What the server counts, under the names of OpenTelemetry's conventions for generative AI where they have one. Those are still in
/// development: all such names stand here. https://github.com/open-telemetry/semantic-conventions-genai
/// </summary>
static class ServerMetrics
{
    /// <summary>The meter's name, and the activity source's.</summary>
    public const string Name = "Kvasir.Server";

    const string Operation = "gen_ai.operation.name", Model = "gen_ai.request.model",
        TokenType = "gen_ai.token.type", ServedBy = "kvasir.served_by";

    static readonly double[] s_seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300];
    static readonly InstrumentAdvice<double> s_buckets = new() { HistogramBucketBoundaries = s_seconds };
    static readonly Meter s_meter = new(Name);
    static readonly Histogram<double> s_duration = s_meter.CreateHistogram("gen_ai.server.request.duration", "s",
        "From the request to its end", advice: s_buckets);
    static readonly Histogram<double> s_ttft = s_meter.CreateHistogram("gen_ai.server.time_to_first_token", "s",
        "From the request to the first token, by the tier that served most of the prompt", advice: s_buckets);
    static readonly Histogram<double> s_perToken = s_meter.CreateHistogram("gen_ai.server.time_per_output_token", "s",
        "Between tokens after the first", advice: s_buckets);
    static readonly Histogram<double> s_queue = s_meter.CreateHistogram("kvasir.server.queue.duration", "s",
        "From the request to its turn", advice: s_buckets);
    static readonly Counter<long> s_tokens = s_meter.CreateCounter<long>("gen_ai.client.token.usage", "{token}",
        "Tokens of prompts and completions");
    static readonly Counter<long> s_cached = s_meter.CreateCounter<long>("gen_ai.usage.cache_read.input_tokens", "{token}",
        "Of the prompts' tokens, those whose keys and values were not computed");
    static readonly Counter<double> s_saved = s_meter.CreateCounter<double>("kvasir.server.prefill.saved", "s",
        "About the time that the cache has saved");
    static readonly Counter<long> s_drafted = s_meter.CreateCounter<long>("kvasir.server.drafted", "{token}",
        "Tokens that were guessed ahead and computed");
    static readonly Counter<long> s_accepted = s_meter.CreateCounter<long>("kvasir.server.draft.accepted", "{token}",
        "Of those, the ones that came");
    static readonly Histogram<double> s_profile = s_meter.CreateHistogram("kvasir.kv.profile", "s",
        "Finding out what a retention policy keeps of a prefix, and gathering it", advice: s_buckets);
    static readonly Counter<long> s_pagesSeen = s_meter.CreateCounter<long>("kvasir.kv.pages.seen", "{page}",
        "Pages that rows saw which read only some, over layers and KV heads");
    static readonly Counter<long> s_pagesRead = s_meter.CreateCounter<long>("kvasir.kv.pages.read", "{page}", "Of those, read");
    static readonly Histogram<double> s_skipped = s_meter.CreateHistogram("kvasir.kv.pages.skipped", "1",
        "The share of its attention that what a row of an answer skipped had at most, where that was bounded",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1] });
    static readonly ActivitySource s_activities = new(Name);

    /// <summary>A request is over.</summary>
    public static void Served(RequestRecord record, string model, IReadOnlyList<GenerationResult> results)
    {
        KeyValuePair<string, object?> operation = new(Operation, record.Endpoint switch
        {
            "/v1/embeddings" =>
            "embeddings",
            "/v1/completions" => "text_completion",
            _ => "chat"
        }), name = new(Model, model);
        s_duration.Record(record.DurationS, operation, name,
            new("error.type", record.Status is "error" or "cancelled" ? record.Status : null));
        foreach (GenerationResult result in results)
        {
            s_tokens.Add(result.PromptTokens, operation, name, new(TokenType, "input"));
            s_tokens.Add(result.TokenIds.Count, operation, name, new(TokenType, "output"));
            s_cached.Add(result.ReusedTokens, operation, name);
            s_saved.Add(result.Kv.Saved.TotalSeconds, name);
            s_queue.Record(result.QueueTime.TotalSeconds, name);
            s_drafted.Add(result.Drafts?.Drafted ?? 0, name);
            s_accepted.Add(result.Drafts?.Accepted ?? 0, name);
            if (result.TimeToFirstToken > TimeSpan.Zero)
                s_ttft.Record(result.TimeToFirstToken.TotalSeconds, operation, name, new(ServedBy, RequestLog.ServedBy(result)));
            if (result.Kv.Retention is { View: not null, WasFound: false, ProfileTime: var profile })
                s_profile.Record(profile.TotalSeconds, name);
            if (result.Kv.Retention?.Pages is { Use: var pages })
                Read(pages, name);
            if (result.TokenIds.Count > 1)
                s_perToken.Record(result.DecodeTime.TotalSeconds / (result.TokenIds.Count - 1), operation, name);
        }
        if (results.Count > 0)
            Trace(record, model, results[0]);
    }

    /// <summary>The policy through which an answer saw less than everything; null when it was exact.</summary>
    static string? PolicyOf(GenerationResult result) => result.Kv.Retention is { } use && (use.View is not null || use.Pages is not null)
        ? use.Policy : null;

    static void Read(PageUse pages, KeyValuePair<string, object?> model)
    {
        s_pagesSeen.Add(pages.Seen, model);
        s_pagesRead.Add(pages.Read, model);
        if (pages.Bound is { } bound)
            s_skipped.Record(bound, model);
    }

    /// <summary>
    /// The spans of a request, told when it is over: the engine works for many at once, so that nothing of it runs within one of them.
    /// </summary>
    static void Trace(RequestRecord record, string model, GenerationResult result)
    {
        if (!s_activities.HasListeners())
            return;
        DateTimeOffset end = DateTimeOffset.UtcNow, start = end - TimeSpan.FromSeconds(record.DurationS);
        using Activity? request = s_activities.StartActivity($"chat {model}", ActivityKind.Server,
            default(ActivityContext), startTime: start);
        request?.SetTag(Operation, "chat").SetTag(Model, model).SetTag("gen_ai.response.id", record.Id)
            .SetTag("gen_ai.usage.input_tokens", result.PromptTokens)
            .SetTag("gen_ai.usage.output_tokens", result.TokenIds.Count).SetTag("gen_ai.usage.cache_read.input_tokens", result.ReusedTokens)
            .SetTag("gen_ai.usage.cache_creation.input_tokens", result.ComputedTokens)
            .SetTag("gen_ai.response.finish_reasons", new[] { record.Status })
            .SetTag("kvasir.kv.retention", PolicyOf(result));
        DateTimeOffset begun = start + result.QueueTime, first = start + result.TimeToFirstToken;
        Span("queue", start, begun);
        Span("kv.lookup", begun, begun + result.LookupTime, ("kvasir.tokens", result.ReusedTokens));
        foreach (Tier tier in Enum.GetValues<Tier>())
            if (tier != Tier.Device && result.Kv.From(tier) is > 0 and var tokens)
                Span($"kv.restore {tier.Name()}", begun + result.LookupTime,
                    begun + result.LookupTime + result.Kv.RestoreTime, ("kvasir.tokens", tokens));
        Span("prefill", begun + result.LookupTime, first, ("kvasir.tokens", result.ComputedTokens));
        Span("decode", first, first + result.DecodeTime, ("kvasir.tokens", result.TokenIds.Count));
        Span("kv.store", first + result.DecodeTime, first + result.DecodeTime + result.StoreTime);
        request?.SetEndTime(end.UtcDateTime);
    }

    static void Span(string name, DateTimeOffset from, DateTimeOffset to, (string Name, int Value)? tag = null)
    {
        using Activity? span = s_activities.StartActivity(name, ActivityKind.Internal,
            Activity.Current?.Context ?? default, startTime: from);
        if (tag is { } value)
            span?.SetTag(value.Name, value.Value);
        span?.SetEndTime(to.UtcDateTime);
    }
}
