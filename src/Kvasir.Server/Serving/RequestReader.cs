using System.Collections.Frozen;
using System.Globalization;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Serving;

/// <summary>Reads what the protocols have in common: how tokens are chosen, whose cache it is, and how long it is kept.</summary>
static class RequestReader
{
    const int MostStops = 32, MostStopTokens = 128;
    const int MostStopCharacters = 1000, MostNameCharacters = 64;

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

    /// <summary>How tokens are chosen, and when they end. What a request leaves open is the server's to say.</summary>
    public static GenerationOptions Options(Field body, int? maxTokens, IReadOnlyList<string> stops, ServedModel model) => new()
    {
        MaxTokens = maxTokens,
        MinTokens = MinTokens(body["min_tokens"], maxTokens),
        Stops = stops,
        StopTokens = body["stop_token_ids"].Items(MostStopTokens)
            .Select(token => token.Whole(0, model.Engine.Model.Config.Vocabulary - 1) ?? throw token.Missing("a token")).ToFrozenSet(),
        KeepsStop = body["include_stop_str_in_output"].Truth() ?? false,
        Priority = body["priority"].Whole(-1000, 1000) ?? 0,
        IgnoresEnds = body["ignore_eos"].Truth() ?? false,
        TellsProgress = TellsProgress(body) | TellsTimings(body),
        Sampling = SamplingFields.Read(body, model.Sampling, model.Engine.Model.Config.Vocabulary),
    };

    /// <summary>Whether streams say how far the prompt is.</summary>
    public static bool TellsProgress(Field body) => body["return_progress"].Truth() ?? false;

    /// <summary>Whether answers and their pieces say how long they took.</summary>
    public static bool TellsTimings(Field body) => body["timings_per_token"].Truth() ?? false;

    /// <summary>llama-server's name for the most tokens, where −1 is no limit.</summary>
    public static int? Predicted(Field body) => body["n_predict"].Whole(-1, int.MaxValue) is { } most and >= 0 ? most : null;

    static int MinTokens(Field field, int? maxTokens) => field.Whole(0, int.MaxValue) is not { } least ? 0
        : least <= (maxTokens ?? int.MaxValue) ? least
        : throw field.Wrong($"at most {maxTokens:N0}, the most tokens that are to come");

    /// <summary>One text or a list.</summary>
    public static IReadOnlyList<string> Stops(Field stop)
    {
        string[] stops = stop.IsString ? [stop.Text(MostStopCharacters)!] : Texts(stop, MostStops);
        return Array.TrueForAll(stops, text => text.Length > 0) ? stops : throw stop.Wrong("texts of at least one character");
    }

    internal static string[] Texts(Field list, int most) =>
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
}
