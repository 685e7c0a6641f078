using Kvasir.Inference.Sampling;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Serving;

namespace Kvasir.Server.LlamaServer;

/// <summary>How tokens are chosen, under llama-server's names.</summary>
sealed record GenerationSettings
{
    const ulong AnySeed = uint.MaxValue;

    public required ulong Seed { get; init; }
    public required float Temperature { get; init; }
    public float DynatempRange { get; init; }
    public float DynatempExponent { get; init; } = 1;
    public required int TopK { get; init; }
    public required float TopP { get; init; }
    public required float MinP { get; init; }
    public required float TopNSigma { get; init; }
    public required float XtcProbability { get; init; }
    public required float XtcThreshold { get; init; }
    public required float TypicalP { get; init; }
    public required int RepeatLastN { get; init; }
    public required float RepeatPenalty { get; init; }
    public required float PresencePenalty { get; init; }
    public required float FrequencyPenalty { get; init; }
    public required float DryMultiplier { get; init; }
    public required float DryBase { get; init; }
    public required int DryAllowedLength { get; init; }
    public required int DryPenaltyLastN { get; init; }
    public required IReadOnlyList<string> DrySequenceBreakers { get; init; }
    public required int Mirostat { get; init; }
    public required float MirostatTau { get; init; }
    public required float MirostatEta { get; init; }
    public float AdaptiveTarget { get; init; } = -1;
    public float AdaptiveDecay { get; init; } = 0.9f;
    public required IReadOnlyList<string> Stop { get; init; }
    public required int MaxTokens { get; init; }
    public required int NPredict { get; init; }
    public int NKeep { get; init; }
    public int NDiscard { get; init; }
    public required bool IgnoreEos { get; init; }
    public bool Stream { get; init; }
    public required IReadOnlyList<TokenBias> LogitBias { get; init; }
    public required int NProbs { get; init; }
    public int MinKeep { get; init; }
    public required IReadOnlyList<string> Samplers { get; init; }
    public required bool TimingsPerToken { get; init; }
    public required bool PostSamplingProbs { get; init; }
    public IReadOnlyList<string> Lora { get; init; } = [];

    /// <param name="options">What was asked for.</param>
    /// <param name="ends">The tokens that end a turn: they cannot come where they are ignored.</param>
    /// <param name="tellsTimings">Whether pieces say how long they took.</param>
    public static GenerationSettings Of(GenerationOptions options, IEnumerable<int> ends, bool tellsTimings = false)
    {
        SamplingOptions sampling = options.Sampling;
        DryOptions dry = sampling.Dry ?? new DryOptions { Multiplier = 0 };
        XtcOptions xtc = sampling.Xtc ?? new XtcOptions { Probability = 0 };
        MirostatOptions mirostat = sampling.Mirostat ?? new MirostatOptions();
        return new GenerationSettings
        {
            Seed = sampling.Seed ?? AnySeed,
            Temperature = sampling.Temperature,
            TopK = sampling.TopK,
            TopP = sampling.TopP,
            MinP = sampling.MinP,
            TopNSigma = sampling.TopNSigma > 0 ? sampling.TopNSigma : -1,
            XtcProbability = xtc.Probability,
            XtcThreshold = xtc.Threshold,
            TypicalP = sampling.TypicalP,
            RepeatLastN = sampling.RepeatWindow == int.MaxValue ? -1 : sampling.RepeatWindow,
            RepeatPenalty = sampling.RepeatPenalty,
            PresencePenalty = sampling.PresencePenalty,
            FrequencyPenalty = sampling.FrequencyPenalty,
            DryMultiplier = dry.Multiplier,
            DryBase = dry.Base,
            DryAllowedLength = dry.AllowedLength,
            DryPenaltyLastN = dry.Window,
            DrySequenceBreakers = dry.Breakers,
            Mirostat = sampling.Mirostat is null ? 0 : 2,
            MirostatTau = mirostat.Tau,
            MirostatEta = mirostat.Eta,
            Stop = options.Stops,
            MaxTokens = options.MaxTokens ?? -1,
            NPredict = options.MaxTokens ?? -1,
            IgnoreEos = options.IgnoresEnds,
            LogitBias = [.. (sampling.LogitBias ?? new Dictionary<int, float>()).Select(bias => new TokenBias(bias.Value, bias.Key)),
                .. options.IgnoresEnds ? ends.Select(end => new TokenBias(null, end)) : []],
            NProbs = options.TopLogprobs ?? 0,
            Samplers = SamplerOrder.Names,
            TimingsPerToken = tellsTimings,
            PostSamplingProbs = options.LogprobsAfterSampling,
        };
    }
}

/// <summary>What is added to a token's logit; null where it cannot come.</summary>
sealed record TokenBias(float? Bias, int Token);
