using Kvasir.Inference.Sampling;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;

namespace Kvasir.Server.LlamaServer;

/// <summary>A body of <c>/completion</c> or <c>/infill</c>.</summary>
/// <param name="Completion">What is asked of the model.</param>
/// <param name="AreMany">Whether a list of answers is expected.</param>
/// <param name="Streams">Whether the answer comes in pieces.</param>
/// <param name="ReturnsTokens">Whether its tokens are told.</param>
/// <param name="Fields">The fields that are wanted of it; none for all.</param>
sealed record CompletionQuery(CompletionRequest Completion, bool AreMany, bool Streams, bool ReturnsTokens, IReadOnlyList<string> Fields)
{
    const int MostFields = 64, MostFieldCharacters = 200;

    /// <summary>What llama-server has where nobody says anything.</summary>
    static readonly SamplingOptions s_usual = SamplingOptions.Greedy with { Temperature = 0.8f };

    /// <summary>How tokens are chosen where a request says nothing.</summary>
    public static GenerationOptions Usual(ServedModel model) => RequestReader.Options(new Field("", default), null, [], model, s_usual);

    /// <param name="body">The body.</param>
    /// <param name="prompts">The tokens of its prompts.</param>
    /// <param name="areMany">Whether there was a list of them.</param>
    /// <param name="endpoint">The path that it came by.</param>
    /// <param name="service">Who serves it.</param>
    /// <param name="principal">Who asks.</param>
    /// <param name="explains">Whether the answer is to say what the cache did.</param>
    public static CompletionQuery Read(Field body, IReadOnlyList<int[]> prompts, bool areMany, string endpoint, CompletionService service,
        Principal principal, bool explains)
    {
        ServedModel model = service.Model;
        string name = RequestReader.CheckModel(body, model);
        body.CheckAlternatives("n_cmpl", "n");
        body.CheckAlternatives("n_probs", "logprobs");
        body.CheckAlternatives("n_predict", "max_tokens", "max_completion_tokens");
        int perPrompt = body["n_cmpl"].Whole(1, service.Options.MaxChoices) ?? body["n"].Whole(1, service.Options.MaxChoices) ?? 1;
        CompletionRequest request = new()
        {
            Endpoint = endpoint,
            Id = $"cmpl-{Guid.NewGuid():N}",
            Model = name,
            Prompts = prompts,
            PerPrompt = perPrompt,
            Options = Options(body, model),
            Principal = principal,
            Salt = RequestReader.Salt(body, principal),
            Keep = RequestReader.Ttl(body) is { } time ? new KeepWish(prompts[0].Length, time) : null,
            Slot = body["id_slot"].Whole(-1, model.Slots.Count - 1) is { } slot and >= 0 ? slot : null,
            Explains = explains,
            TellsProgress = RequestReader.TellsProgress(body),
            TellsTimings = RequestReader.TellsTimings(body),
        };
        return new CompletionQuery(request, areMany || perPrompt > 1, body["stream"].Truth() ?? false, body["return_tokens"].Truth() ?? false,
            [.. body["response_fields"].Items(MostFields).Select(name => name.Text(MostFieldCharacters) ?? throw name.Missing("a name"))]);
    }

    static GenerationOptions Options(Field body, ServedModel model)
    {
        int? most = Most(body["n_predict"]) ?? Most(body["max_tokens"]) ?? Most(body["max_completion_tokens"]);
        int probabilities = body["n_probs"].Whole(0, GenerationOptions.MostLogprobs)
            ?? body["logprobs"].Whole(0, GenerationOptions.MostLogprobs) ?? 0;
        GenerationOptions options = RequestReader.Options(body, most, RequestReader.Stops(body["stop"]), model, s_usual);
        return options with
        {
            TopLogprobs = probabilities > 0 ? probabilities : null,
            LogprobsAfterSampling = body["post_sampling_probs"].Truth() ?? false,
            WantsHidden = options.MaxTokens == 0, // then the prompt is computed for the cache
            Grammar = GrammarField.Read(body, new Field("", default), field => field),
            Retention = model.Retention.Read(body, () => null),
        };
    }

    /// <summary>−1 is no limit.</summary>
    static int? Most(Field field) => field.Whole(-1, int.MaxValue) is { } most and >= 0 ? most : null;
}
