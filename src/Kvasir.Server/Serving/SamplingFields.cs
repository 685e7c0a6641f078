using System.Globalization;
using Kvasir.Inference.Sampling;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>Reads how tokens are chosen. What a request leaves open is as the server says.</summary>
static class SamplingFields
{
    const int MostBreakers = 32, MostBiases = 1024;

    /// <summary>What OpenAI's protocol leaves to the server, with OpenAI's values.</summary>
    public static SamplingOptions Usual { get; } = new() { Temperature = 1, TopP = 1, TopK = 0, MinP = 0 };

    public static SamplingOptions Read(Field body, SamplingOptions usual, int vocabulary) => new()
    {
        Temperature = body["temperature"].Real(0, 2) ?? usual.Temperature,
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
        LogitBias = Biases(body["logit_bias"], vocabulary),
        Seed = Seed(body["seed"]) ?? usual.Seed,
    };

    static XtcOptions? Xtc(Field body, XtcOptions? usual)
    {
        XtcOptions xtc = usual ?? new() { Probability = 0 };
        xtc = new()
        {
            Probability = body["xtc_probability"].Real(0, 1) ?? xtc.Probability,
            Threshold = body["xtc_threshold"].Real(0, 1) ?? xtc.Threshold,
        };
        return xtc.Probability > 0 ? xtc : null;
    }

    static DryOptions? Dry(Field body, DryOptions? usual)
    {
        DryOptions dry = usual ?? new() { Multiplier = 0 };
        dry = dry with
        {
            Multiplier = body["dry_multiplier"].Real(0, 1000) ?? dry.Multiplier,
            Base = body["dry_base"].Real(1, 1000) ?? dry.Base,
            AllowedLength = body["dry_allowed_length"].Whole(1, int.MaxValue) ?? dry.AllowedLength,
            Window = body["dry_penalty_last_n"].Whole(-1, int.MaxValue) ?? dry.Window,
            Breakers = body["dry_sequence_breakers"] is { IsAbsent: false } breakers
                ? RequestReader.Texts(breakers, MostBreakers)
                : dry.Breakers,
        };
        return dry.Multiplier > 0 ? dry : null;
    }

    static MirostatOptions? Mirostat(Field body, MirostatOptions? usual)
    {
        MirostatOptions mirostat = usual ?? new();
        mirostat = new()
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
