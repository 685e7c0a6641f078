using System.Text.Json.Nodes;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Tokenization;
using Kvasir.Server.Http;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.LlamaServer;

/// <summary><c>POST /completion</c> and <c>/infill</c>, in llama-server's own terms.</summary>
static class Completion
{
    public static Task Handle(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, Endpoints.Completion, body => Complete(context, service, body));

    /// <summary>
    /// <c>/completions</c> without <c>/v1</c> is llama-server's own; but clients of OpenAI's that were given this address name a model, and
    /// expect its answer.
    /// </summary>
    public static Task HandleEither(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, body => body["model"].IsAbsent ? Endpoints.Completion : Endpoints.Completions,
            (endpoint, body) => endpoint == Endpoints.Completion
                ? Complete(context, service, body)
                : TextCompletions.Complete(context, service, body));

    /// <summary>What stands in a gap between two texts.</summary>
    public static Task Infill(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, Endpoints.Infill, body =>
        {
            FillInTokens gap = service.Model.Engine.Model.Tokenizer.FillIn ?? throw new RequestException(501,
                "this model does not fill in: its vocabulary has no tokens for prefix, suffix and middle", code: "not_supported");
            string Text(Field field) => field.Text() ?? throw field.Missing("a text");
            int[] prompt = gap.Prompt(service.Model.Engine.Model.Tokenizer, Text(body["input_prefix"]), Text(body["input_suffix"]),
                [.. body["input_extra"].Items(1000).Select(file => (file["filename"].Text() ?? "tmp", Text(file["text"])))],
                body["prompt"].Text() ?? "");
            int room = service.Model.Engine.Context;
            return prompt.Length < room
                ? Run(context, service, body, [prompt], false, "/infill")
                : throw new ContextExceededException(prompt.Length + 1, room, service.Model.Engine.Model.Config.Context);
        });

    static Task Complete(HttpContext context, CompletionService service, Field body)
    {
        (IReadOnlyList<int[]> prompts, bool areMany) = PromptField.Read(body["prompt"], service.Model.Engine);
        return Run(context, service, body, prompts, areMany, "/completion");
    }

    static Task Run(HttpContext context, CompletionService service, Field body, IReadOnlyList<int[]> prompts, bool areMany, string endpoint)
    {
        CompletionQuery query = CompletionQuery.Read(body, prompts, areMany, endpoint, service, Gate.PrincipalOf(context),
            RequestReader.Explains(context));
        return service.Serve(context, query.Completion, run => query.Streams
            ? new CompletionStream(context, service.Model, query, run).Write()
            : Answer(context, service.Model, query, run));
    }

    static async Task<string> Answer(HttpContext context, ServedModel model, CompletionQuery query, CompletionRun run)
    {
        List<TokenLogprobs>[] likely = [.. Enumerable.Range(0, run.Request.Choices).Select(_ => new List<TokenLogprobs>())];
        GenerationResult[] results = await run.ReadAll(piece =>
        {
            if (piece.Piece.Logprobs is { } logprobs)
                likely[piece.Choice].Add(logprobs);
        });
        JsonNode[] answers = [.. results.Select((result, i) => (JsonNode)(Of(i, result, model, query, run) with
        {
            Content = result.Text,
            Tokens = query.ReturnsTokens ? result.TokenIds : [],
            CompletionProbabilities = run.Request.Options.TopLogprobs is null ? null
                : [.. likely[i].Select(token => TokenProbability.Of(token, run.Request.Options.LogprobsAfterSampling,
                    model.Engine.Model.Tokenizer))],
        }).Fields(query.Fields))];
        JsonNode answer = query.AreMany ? new JsonArray(answers) : answers[0];
        await context.Response.WriteAsJsonAsync(answer, LlamaServerJson.Wire.JsonNode, cancellationToken: context.RequestAborted);
        return CompletionAnswer.StopTypeOf(results[0]);
    }

    /// <summary>What is told of an answer that is over, without its text.</summary>
    public static CompletionAnswer Of(int index, GenerationResult result, ServedModel model, CompletionQuery query, CompletionRun run)
    {
        int tokens = result.PromptTokens + result.TokenIds.Count;
        return new CompletionAnswer(
            index, "", [], run.Slot, true, run.ModelName, result.TokenIds.Count, result.PromptTokens,
            GenerationSettings.Of(run.Request.OptionsOf(index), model.Engine.Model.Tokenizer.Ends, run.Request.TellsTimings) with
            {
                Stream = query.Streams,
            },
            model.Engine.Model.Tokenizer.Decode(run.Request.Prompts[index / run.Request.PerPrompt], ControlTokens.Shown),
            result.Text.Contains('\n'), result.FinishReason == FinishReason.Length && tokens >= model.Engine.Context,
            CompletionAnswer.StopTypeOf(result), result.StopText ?? "", result.ReusedTokens, CompletionAnswer.TimingsOf(result), null,
            run.ExplanationOf(result));
    }
}
