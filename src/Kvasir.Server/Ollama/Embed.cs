using System.Diagnostics;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Ollama;

/// <summary><c>POST /api/embed</c> and the older <c>/api/embeddings</c>.</summary>
static class Embed
{
    const int MostTexts = 2048;

    public static Task Handle(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, Endpoints.OllamaEmbed, body =>
        {
            long start = Stopwatch.GetTimestamp();
            int width = service.Model.Engine.Model.Config.Width, dimensions = body["dimensions"].Whole(1, width) ?? width;
            string name = ModelName.Read(body, service.Model);
            OllamaQuery.Unloads(body["keep_alive"]);
            return Run(context, service, body, Texts(body["input"], body["truncate"].Truth() ?? false, service.Model.Engine), results =>
                context.Response.WriteAsJsonAsync(new OllamaVectors(
                    name, [.. results.Select(result => TextEmbedding.Of(result, dimensions))],
                    OllamaAnswer.Nanoseconds(Stopwatch.GetElapsedTime(start)),
                    OllamaAnswer.Nanoseconds(results.Length > 0 ? results[0].QueueTime : TimeSpan.Zero),
                    results.Sum(result => result.PromptTokens)), OllamaJson.Wire.OllamaVectors, cancellationToken: context.RequestAborted));
        });

    public static Task HandleOne(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, Endpoints.OllamaEmbeddings, body =>
        {
            ModelName.Read(body, service.Model);
            OllamaQuery.Unloads(body["keep_alive"]);
            int width = service.Model.Engine.Model.Config.Width;
            return Run(context, service, body, [Text(body["prompt"], false, service.Model.Engine)], results =>
                context.Response.WriteAsJsonAsync(new OllamaVector(TextEmbedding.Of(results[0], width)), OllamaJson.Wire.OllamaVector,
                    cancellationToken: context.RequestAborted));
        });

    static Task Run(HttpContext context, CompletionService service, Field body, IReadOnlyList<int[]> texts,
        Func<GenerationResult[], Task> answer)
    {
        if (texts.Count == 0)
            return answer([]); // loads the model, in Ollama
        return service.Serve(context, new CompletionRequest
        {
            Endpoint = "/api/embed",
            Id = $"embd-{Guid.NewGuid():N}",
            Prompts = texts,
            Options = TextEmbedding.Options,
            Principal = Gate.PrincipalOf(context),
            Salt = RequestReader.Salt(body, Gate.PrincipalOf(context)),
        }, async run =>
        {
            await answer(await run.ReadAll(_ => { }));
            return "stop";
        });
    }

    static IReadOnlyList<int[]> Texts(Field input, bool truncates, InferenceEngine engine) => input.IsArray
        ? [.. input.Items(MostTexts).Select(text => Text(text, truncates, engine))]
        : input.IsAbsent || (input.IsString && input.Text()!.Length == 0) ? []
        : [Text(input, truncates, engine)];

    static int[] Text(Field text, bool truncates, InferenceEngine engine)
    {
        if (!text.IsString)
            throw text.IsAbsent ? text.Missing("a text") : text.Wrong("a text");
        if (!truncates)
            BodyLimit.Check(text, engine.Context, engine.Model.Tokenizer.LongestToken);
        int[] tokens = engine.Model.Tokenizer.EncodePrompt(text.Text()!, engine.Context);
        return tokens.Length == 0 ? throw text.Wrong("at least one token")
            : tokens.Length < engine.Context ? tokens
            : truncates ? tokens[..(engine.Context - 1)]
            : throw new ContextExceededException(tokens.Length + 1, engine.Context, engine.Model.Config.Context);
    }
}
