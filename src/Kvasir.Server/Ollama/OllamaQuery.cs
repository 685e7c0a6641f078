using System.Text.RegularExpressions;
using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Ollama;

/// <summary>What the endpoints that answer have in common.</summary>
/// <param name="Model">The model, under the name that the request says.</param>
/// <param name="Completion">What is asked of it.</param>
/// <param name="Streams">Whether the answer comes in pieces.</param>
sealed partial record OllamaQuery(string Model, CompletionRequest Completion, bool Streams)
{
    /// <summary>What Ollama has where nobody says anything.</summary>
    static readonly SamplingOptions s_usual = SamplingOptions.Greedy with
    {
        Temperature = 0.8f,
        TopK = 40,
        TopP = 0.9f,
        MinP = 0,
        RepeatPenalty = 1.1f,
        RepeatWindow = 64,
    };

    /// <param name="context">The request.</param>
    /// <param name="body">Its body.</param>
    /// <param name="prompt">The tokens of its prompt.</param>
    /// <param name="plan">How it is answered, if it is a conversation.</param>
    /// <param name="endpoint">Where it arrived.</param>
    /// <param name="model">The model.</param>
    /// <param name="question">How many tokens of the prompt come before the question; null for one that is all question.</param>
    public static OllamaQuery Read(HttpContext context, Field body, int[] prompt, AnswerPlan? plan, string endpoint, ServedModel model,
        Func<int?> question)
    {
        Field wishes = body["options"];
        Principal principal = Gate.PrincipalOf(context);
        int room = Room(wishes, model, prompt.Length);
        GenerationOptions options = RequestReader.Options(wishes, MostTokens(wishes, room - prompt.Length, model),
            RequestReader.Stops(wishes["stop"]), model, s_usual);
        return new OllamaQuery(ModelName.Read(body, model), new CompletionRequest
        {
            Plan = plan,
            Endpoint = endpoint,
            Id = $"ollama-{Guid.NewGuid():N}",
            Prompts = [prompt],
            Options = (plan?.Apply(options) ?? options with { Grammar = GrammarField.ReadFormat(body["format"]) }) with
            {
                TopLogprobs = TopLogprobs(body),
                Retention = model.Retention.Read(body, question),
            },
            Principal = principal,
            Salt = RequestReader.Salt(body, principal),
            Explains = RequestReader.Explains(context),
        }, body["stream"].Truth() ?? true);
    }

    /// <summary>
    /// The context that a request has: <c>num_ctx</c>, as far as it is served. What does not fit is refused, and never cut as Ollama does.
    /// </summary>
    static int Room(Field wishes, ServedModel model, int prompt)
    {
        int room = Math.Min(wishes["num_ctx"].Whole(0, int.MaxValue) is { } wanted and > 0 ? wanted : int.MaxValue, model.Engine.Context);
        return prompt < room ? room : throw new ContextExceededException(prompt + 1, room, model.Engine.Model.Config.Context);
    }

    /// <summary>−1 has no limit, and −2 none but the context.</summary>
    static int? MostTokens(Field wishes, int room, ServedModel model)
    {
        int? most = wishes["num_predict"].Whole(-2, int.MaxValue) is { } wanted ? wanted >= 0 ? wanted : null : model.Defaults.MaxTokens;
        return wishes["num_ctx"].IsAbsent ? most : Math.Min(most ?? room, room);
    }

    static int? TopLogprobs(Field body)
    {
        int? top = body["top_logprobs"].Whole(0, GenerationOptions.MostLogprobs);
        return body["logprobs"].Truth() == true ? top ?? 0
            : top is > 0 ? throw body["logprobs"].Wrong("true, because top_logprobs asks for some") : null;
    }

    /// <summary>
    /// For how long Ollama would keep the model: here it stays, so that the word is looked at and changes nothing. 0 tells a request
    /// without a prompt from one that loads.
    /// </summary>
    public static bool Unloads(Field keepAlive)
    {
        if (keepAlive.IsAbsent)
            return false;
        if (keepAlive.IsNumber)
            return keepAlive.Real(-1e9f, 1e9f) == 0;
        string text = keepAlive.Text(32)!;
        return Duration().IsMatch(text) ? !text.Any(character => character is >= '1' and <= '9')
            : throw keepAlive.Wrong("a time such as 5m, or seconds");
    }

    /// <summary>As Go writes it.</summary>
    [GeneratedRegex(@"^[-+]?(\d+|(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+)$")]
    private static partial Regex Duration();

    /// <summary>The answer to a request that asks nothing: the model is there, and stays.</summary>
    public static OllamaAnswer Nothing(Field body, ServedModel model) =>
        new(ModelName.Read(body, model), OllamaAnswer.Time(DateTimeOffset.UtcNow), true)
        {
            DoneReason = Unloads(body["keep_alive"]) ? "unload" : "load",
        };

    /// <summary>Refuses pictures.</summary>
    public static void CheckImages(Field images)
    {
        if (images.Items(1000).Count > 0)
            throw new RequestException(400, $"{images.Path}: this model reads text only, expected none", images.Path, "unsupported_content");
    }
}
