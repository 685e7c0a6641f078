using System.Runtime.InteropServices;
using System.Text.Json;
using Kvasir.Inference;
using Kvasir.Inference.Drafting;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Tests.Drafting;

/// <summary>Answers with and without guesses, and guesses that are right only now and then.</summary>
static class DraftedAnswer
{
    /// <summary>Lookup, with a text that is the answer but for some tokens: guesses go wrong anywhere.</summary>
    public static SpeculativeOptions Mistaken(IEnumerable<int> answer, int seed, int most = 24)
    {
        Random random = new(seed);
        return new SpeculativeOptions
        {
            Mode = SpeculativeMode.Lookup,
            MostTokens = most,
            Prediction = [.. answer.Select(token => random.Next(6) == 0 ? random.Next(250) : token)],
        };
    }

    public static GenerationOptions Plainly(this GenerationOptions options) =>
        options with { Speculative = new SpeculativeOptions { Mode = SpeculativeMode.Off } };

    /// <summary>Everything that an answer is, but for times and guesses.</summary>
    public static string Told(GenerationResult result, IEnumerable<CompletionPiece> pieces) => string.Join('|',
        string.Join(' ', result.TokenIds), result.Text, result.FinishReason, result.StopText, result.ThoughtTokens, result.Seed,
        string.Join(' ', pieces.Select(piece => $"{piece.Token}:{piece.Text}{Bits(piece.Logprobs)}")),
        result.Hidden is { } hidden ? Convert.ToHexString(MemoryMarshal.AsBytes(hidden.Span)) : "");

    static string Bits(TokenLogprobs? told) => told is null ? ""
        : $"({Bits(told.Logprob)} {string.Join(',', told.Top.Select(top => $"{top.Token}={Bits(top.Logprob)}"))})";

    static string Bits(float value) => $"{BitConverter.SingleToUInt32Bits(value):x}";

    /// <summary>Runs a completion to its end.</summary>
    public static async Task<(GenerationResult Result, string Told)> Of(
        InferenceEngine engine, int[] prompt, GenerationOptions options, CancellationToken cancellation)
    {
        Completion completion = engine.Start(prompt, options, cancellation: cancellation);
        List<CompletionPiece> pieces = [];
        await foreach (CompletionPiece piece in completion.Pieces.ReadAllAsync(cancellation))
            pieces.Add(piece);
        GenerationResult result = await completion.Result;
        return (result, Told(result, pieces));
    }

    /// <summary>Options of all kinds, mixed by a number.</summary>
    /// <param name="seed">The number.</param>
    /// <param name="text">A text that the model says, in which stops are found.</param>
    public static GenerationOptions Options(int seed, string text)
    {
        Random random = new(seed);
        bool Now(int outOf) => random.Next(outOf) == 0;
        float Real(double least, double most) => (float)(least + random.NextDouble() * (most - least));
        SamplingOptions sampling = new()
        {
            Seed = (ulong)seed,
            Temperature = Now(3) ? 0 : Real(0.1, 1.5),
            TopK = Now(2) ? 0 : random.Next(1, 60),
            TopP = Now(2) ? 1 : Real(0.5, 1),
            MinP = Now(2) ? 0 : Real(0, 0.2),
            TypicalP = Now(4) ? Real(0.5, 1) : 1,
            TopNSigma = Now(5) ? Real(0.5, 3) : 0,
            RepeatPenalty = Now(4) ? Real(0.8, 1.5) : 1,
            FrequencyPenalty = Now(5) ? Real(-1, 1) : 0,
            PresencePenalty = Now(5) ? Real(-1, 1) : 0,
            Xtc = Now(5) ? new XtcOptions { Probability = 0.5f, Threshold = 0.1f } : null,
            Dry = Now(5) ? new DryOptions { Multiplier = 0.8f } : null,
            Mirostat = Now(6) ? new MirostatOptions() : null,
            LogitBias = Now(6) ? new Dictionary<int, float> { [random.Next(250)] = 5, [random.Next(250)] = -5 } : null,
        };
        int most = random.Next(1, 48), at = random.Next(Math.Max(1, text.Length - 4));
        return new GenerationOptions
        {
            MaxTokens = Now(8) ? null : most,
            MinTokens = Now(5) ? random.Next(Math.Min(most, 12)) : 0,
            Stops = Now(4) && text.Length > 4 ? [text.Substring(at, random.Next(1, 4))] : [],
            StopTokens = Now(6) ? new HashSet<int> { random.Next(250), random.Next(250) } : new HashSet<int>(),
            KeepsStop = Now(2),
            IgnoresEnds = Now(2),
            Sampling = sampling,
            TopLogprobs = Now(2) ? random.Next(GenerationOptions.MostLogprobs + 1) : null,
            LogprobsAfterSampling = Now(3),
            WantsHidden = true,
            Grammar = Now(6) ? OutputGrammar.JsonSchema(JsonElement.Parse(s_schemas[random.Next(s_schemas.Length)])) : null,
        };
    }

    static readonly string[] s_schemas =
    [
        """{"type":"object","properties":{"a":{"type":"integer"},"b":{"enum":["red","read","reading"]}},"required":["a","b"]}""",
        """{"type":"array","items":{"type":"string","maxLength":4},"minItems":2,"maxItems":4}""",
        """{"type":"boolean"}""",
    ];
}
