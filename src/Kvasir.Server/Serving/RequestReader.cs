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
    const int MostStops = 32, MostStopCharacters = 1000, MostBiases = 1024, MostNameCharacters = 64;

    static readonly TimeSpan s_longest = TimeSpan.FromDays(30);

    /// <summary>The model that is asked for: any name of the served one, or none.</summary>
    public static void CheckModel(Field body, ServedModel model)
    {
        if (body["model"].Text(200) is { Length: > 0 } name && !model.GoesBy(name))
            throw new RequestException(404, $"model: '{Formats.Printable.Line(name)}' is not served here, expected '{model.Id}'", "model",
                "model_not_found");
    }

    /// <summary>Whether a client asks what the cache did.</summary>
    public static bool Explains(HttpContext context) =>
        context.Request.Headers["X-Kvasir-Explain"] is [{ } value] && value is "1" or "true";

    /// <summary>How tokens are chosen. What OpenAI's protocol leaves to the server has OpenAI's values.</summary>
    public static GenerationOptions Options(Field body, int? maxTokens, IReadOnlyList<string> stops, ServedModel model) => new()
    {
        MaxTokens = maxTokens,
        Stops = stops,
        Priority = body["priority"].Whole(-1000, 1000) ?? 0,
        IgnoresEnds = body["ignore_eos"].Truth() ?? false,
        Sampling = new SamplingOptions
        {
            Temperature = body["temperature"].Real(0, 2) ?? 1,
            TopP = body["top_p"].Real(0, 1) is { } topP ? Math.Max(topP, float.Epsilon) : 1,
            TopK = body["top_k"].Whole(-1, int.MaxValue) is { } topK ? Math.Max(topK, 0) : 0,
            MinP = body["min_p"].Real(0, 1) ?? 0,
            RepeatPenalty = body["repeat_penalty"].Real(0.01f, 10) ?? body["repetition_penalty"].Real(0.01f, 10) ?? 1,
            FrequencyPenalty = body["frequency_penalty"].Real(-2, 2) ?? 0,
            PresencePenalty = body["presence_penalty"].Real(-2, 2) ?? 0,
            LogitBias = Biases(body["logit_bias"], model.Engine.Model.Config.Vocabulary),
            Seed = Seed(body["seed"]),
        },
    };

    /// <summary>One text or a list.</summary>
    public static IReadOnlyList<string> Stops(Field stop)
    {
        string[] stops = stop.IsString
            ? [stop.Text(MostStopCharacters)!]
            : [.. stop.Items(MostStops).Select(item => item.Text(MostStopCharacters) ?? throw item.Missing("a string"))];
        return Array.TrueForAll(stops, text => text.Length > 0) ? stops : throw stop.Wrong("texts of at least one character");
    }

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
        return field.IsNumber && field.Json.TryGetInt64(out long negative)
            ? unchecked((ulong)negative)
            : throw field.Wrong("a whole number");
    }

    static Dictionary<int, float>? Biases(Field field, int vocabulary)
    {
        if (field.IsAbsent)
            return null;
        Dictionary<int, float> biases = [];
        foreach ((string name, Field bias) in field.Members(MostBiases))
            biases[int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int token) && token < vocabulary
                ? token
                : throw new RequestException(400,
                    $"logit_bias: '{Formats.Printable.Line(name, 40)}' is no token, expected 0 to {vocabulary - 1}", "logit_bias")]
                = bias.Real(-100, 100) ?? throw bias.Missing("a number from -100 to 100");
        return biases;
    }
}
