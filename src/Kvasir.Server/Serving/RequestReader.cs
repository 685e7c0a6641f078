using System.Collections.Frozen;
using System.Globalization;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Serving;

/// <summary>Reads what the protocols have in common: how tokens are chosen, whose cache it is, and how long it is kept.</summary>
static class RequestReader
{
    const int MostStops = 32, MostStopTokens = 128, MostBreakers = 32;
    const int MostStopCharacters = 1000, MostNameCharacters = 64;

    static readonly TimeSpan s_longest = TimeSpan.FromDays(30);

    /// <summary>The model that is asked for: any name of the served one, or none. Answers call it so.</summary>
    public static string CheckModel(Field body, ServedModel model) => model.NameFor(body["model"].Text(200));

    /// <summary>Whether a client asks what the cache did.</summary>
    public static bool Explains(HttpContext context) =>
        context.Request.Headers["X-Kvasir-Explain"] is [{ } value] && value is "1" or "true";

    /// <summary>What OpenAI's protocol leaves to the server: the model as it is.</summary>
    static readonly SamplingOptions s_openAi = SamplingOptions.Greedy with { Temperature = 1, TopP = 1, TopK = 0, MinP = 0 };

    /// <summary>How tokens are chosen.</summary>
    /// <param name="body">What a request says.</param>
    /// <param name="maxTokens">Most tokens that it wants; null when it says nothing of them.</param>
    /// <param name="stops">Texts that end the answer.</param>
    /// <param name="model">The model, with what the operator says where a request says nothing.</param>
    /// <param name="usual">What the protocol has where neither does; null for OpenAI's.</param>
    public static GenerationOptions Options(
        Field body, int? maxTokens, IReadOnlyList<string> stops, ServedModel model, SamplingOptions? usual = null)
    {
        int? most = maxTokens ?? model.Defaults.MaxTokens;
        return new GenerationOptions
        {
            MaxTokens = most,
            MinTokens = MinTokens(body["min_tokens"], most),
            Stops = stops.Count > 0 ? stops : model.Defaults.Stops,
            StopTokens = body["stop_token_ids"].Items(MostStopTokens)
                .Select(token => token.Whole(0, model.Engine.Model.Config.Vocabulary - 1) ?? throw token.Missing("a token")).ToFrozenSet(),
            KeepsStop = body["include_stop_str_in_output"].Truth() ?? false,
            Priority = body["priority"].Whole(-1000, 1000) ?? 0,
            IgnoresEnds = body["ignore_eos"].Truth() ?? false,
            TellsProgress = TellsProgress(body) | TellsTimings(body),
            MostTime = MostTime(body["t_max_predict_ms"]),
            Speculative = SpeculativeField.Read(body),
            Sampling = SamplerOrder.Apply(body["samplers"], Sampling(body, model, model.Defaults.Sampling(usual ?? s_openAi))),
        };
    }

    static SamplingOptions Sampling(Field body, ServedModel model, SamplingOptions usual) => usual with
    {
        Temperature = body["temperature"].Real(0, float.MaxValue) ?? usual.Temperature,
        TopP = body["top_p"].Real(0, 1) is { } topP ? Math.Max(topP, float.Epsilon) : usual.TopP,
        TopK = body["top_k"].Whole(-1, int.MaxValue) is { } topK ? Math.Max(topK, 0) : usual.TopK,
        MinP = body["min_p"].Real(0, 1) ?? usual.MinP,
        RepeatPenalty = body["repeat_penalty"].Real(0.01f, 10) ?? body["repetition_penalty"].Real(0.01f, 10) ?? usual.RepeatPenalty,
        RepeatWindow = body["repeat_last_n"].Whole(-1, int.MaxValue) is { } last ? last < 0 ? int.MaxValue : last : usual.RepeatWindow,
        TypicalP = body["typical_p"].Real(0, 1) is { } typical ? Math.Max(typical, float.Epsilon) : usual.TypicalP,
        TopNSigma = body["top_n_sigma"].Real(-1, 1000) is { } sigmas ? Math.Max(sigmas, 0) : usual.TopNSigma,
        Xtc = Xtc(body, usual.Xtc),
        Dry = Dry(body, usual.Dry),
        Mirostat = Mirostat(body, usual.Mirostat),
        FrequencyPenalty = body["frequency_penalty"].Real(-2, 2) ?? usual.FrequencyPenalty,
        PresencePenalty = body["presence_penalty"].Real(-2, 2) ?? usual.PresencePenalty,
        LogitBias = LogitBiases.Read(body["logit_bias"], model.Engine.Model.Tokenizer),
        Seed = body["seed"].IsAbsent ? usual.Seed : Seed(body["seed"]),
    };

    /// <summary>llama-server's limit of time, in milliseconds; 0 and −1 are none.</summary>
    static TimeSpan? MostTime(Field field) =>
        field.Whole(-1, int.MaxValue) is { } most and > 0 ? TimeSpan.FromMilliseconds(most) : null;

    /// <summary>Whether streams say how far the prompt is.</summary>
    public static bool TellsProgress(Field body) => body["return_progress"].Truth() ?? false;

    /// <summary>Whether answers and their pieces say how long they took.</summary>
    public static bool TellsTimings(Field body) => body["timings_per_token"].Truth() ?? false;

    /// <summary>llama-server's name for the most tokens, where −1 is no limit.</summary>
    public static int? Predicted(Field body) => body["n_predict"].Bound(0);

    static int MinTokens(Field field, int? maxTokens) => field.Whole(0, int.MaxValue) is not { } least ? 0
        : least <= (maxTokens ?? int.MaxValue) ? least
        : throw field.Wrong($"at most {maxTokens:N0}, the most tokens that are to come");

    static XtcOptions? Xtc(Field body, XtcOptions? usual)
    {
        float often = body["xtc_probability"].Real(0, 1) ?? usual?.Probability ?? 0,
            threshold = body["xtc_threshold"].Real(0, 1) ?? usual?.Threshold ?? 0.1f;
        return often > 0 ? new XtcOptions { Probability = often, Threshold = threshold } : null;
    }

    static DryOptions? Dry(Field body, DryOptions? usual)
    {
        DryOptions dry = usual ?? new DryOptions { Multiplier = 0 };
        dry = dry with
        {
            Multiplier = body["dry_multiplier"].Real(0, 1000) ?? dry.Multiplier,
            Base = body["dry_base"].Real(1, 1000) ?? dry.Base,
            AllowedLength = body["dry_allowed_length"].Whole(1, int.MaxValue) ?? dry.AllowedLength,
            Window = body["dry_penalty_last_n"].Whole(-1, int.MaxValue) ?? dry.Window,
            Breakers = body["dry_sequence_breakers"] is { IsAbsent: false } breakers ? Texts(breakers, MostBreakers) : dry.Breakers,
        };
        return dry.Multiplier > 0 ? dry : null;
    }

    static MirostatOptions? Mirostat(Field body, MirostatOptions? usual)
    {
        MirostatOptions mirostat = usual ?? new MirostatOptions();
        mirostat = mirostat with
        {
            Tau = body["mirostat_tau"].Real(0.01f, 1000) ?? mirostat.Tau,
            Eta = body["mirostat_eta"].Real(0, 1) ?? mirostat.Eta,
        };
        return body["mirostat"].Whole(0, 2) switch
        {
            1 => throw body["mirostat"].Wrong("0 or 2: there is no Mirostat 1 here"),
            2 => mirostat,
            0 => null,
            _ => usual is null ? null : mirostat,
        };
    }

    /// <summary>One text or a list. Empty ones stop nothing: forms of clients send them for none.</summary>
    public static IReadOnlyList<string> Stops(Field stop)
    {
        IReadOnlyList<Field> stops = stop.IsString ? [stop] : stop.Items(MostStops);
        return [.. stops.Select(text => text.Text(MostStopCharacters) ?? throw text.Missing("a string")).Where(text => text.Length > 0)];
    }

    static string[] Texts(Field list, int most) =>
        [.. list.Items(most).Select(item => item.Text(MostStopCharacters) is { Length: > 0 } text
            ? text
            : throw item.Wrong("a text of at least one character"))];

    /// <summary>What keeps the cache of a request apart: who asks, and what they say themselves.</summary>
    public static byte[] Salt(Field body, Principal principal)
    {
        Field field = body["cache_salt"];
        if (field.Text(MostNameCharacters) is not { } salt)
            return principal.Salt;
        if (salt.Length == 0 || !salt.All(character => char.IsAsciiLetterOrDigit(character) || character is '_' or '-' or '.'))
            throw field.Wrong("letters, digits, '_', '-' and '.'");
        return CacheSalt.Of(salt, principal.Salt);
    }

    /// <summary>
    /// For how long a client wants its prompt kept: <c>prompt_cache_options.ttl</c>, or the older
    /// <c>prompt_cache_retention</c>; null when it says nothing.
    /// </summary>
    public static TimeSpan? Ttl(Field body)
    {
        body["prompt_cache_key"].Text(1024); // there is one cache here to be near to
        body["prompt_cache_options"]["mode"].OneOf("implicit", "explicit");
        if (body["cache_control"] is { IsAbsent: false } control)
            return control["ttl"].IsAbsent ? TimeSpan.FromMinutes(5) : Time(control["ttl"]);
        if (body["prompt_cache_options"]["ttl"] is { IsAbsent: false } ttl)
            return Time(ttl);
        return body["prompt_cache_retention"].OneOf("in_memory", "in-memory", "24h") == "24h" ? TimeSpan.FromHours(24) : null;
    }

    /// <summary>Such as <c>5m</c>, <c>1h</c> or <c>30d</c>; or seconds.</summary>
    public static TimeSpan Time(Field field)
    {
        string text = field.IsNumber ? $"{field.Whole(1, int.MaxValue)}s" : field.Text(16) ?? throw field.Missing("a time such as 30m");
        if (text.Length > 1 && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            && count > 0)
        {
            double seconds = count * (text[^1] switch { 's' => 1.0, 'm' => 60, 'h' => 3600, 'd' => 86400, _ => double.PositiveInfinity });
            if (seconds <= s_longest.TotalSeconds)
                return TimeSpan.FromSeconds(seconds);
        }
        throw field.Wrong("a time up to 30d, such as 5m or 1h");
    }

    /// <summary>What is to be kept of a conversation's prompt.</summary>
    public static KeepWish? Keep(Field body, ChatInput input, ToolChoice choice, ServedModel model, int[] prompt)
    {
        TimeSpan? ttl = Ttl(body);
        if (input.Breakpoints is [.., var last])
            return new KeepWish(input.TokensBefore(last, model, choice, prompt), last.Ttl);
        return ttl is { } whole && body["prompt_cache_options"]["mode"].Text() != "explicit" ? new KeepWish(prompt.Length, whole) : null;
    }

    static ulong? Seed(Field field)
    {
        if (field.IsAbsent)
            return null;
        if (field.IsNumber && field.Json.TryGetUInt64(out ulong seed))
            return seed;
        if (field.IsNumber && field.Json.TryGetInt64(out long negative))
            return negative == -1 ? null : unchecked((ulong)negative); // llama-server and vLLM draw one
        return field.IsNumber && field.Json.TryGetDouble(out double real) && double.IsInteger(real)
            ? double.Abs(real) < 1L << 53 ? unchecked((ulong)(long)real) : BitConverter.DoubleToUInt64Bits(real)
            : throw field.Wrong("a whole number");
    }
}
