using System.Runtime.InteropServices;
using System.Text.Json;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.OpenAi;

/// <summary>The answer of <c>/v1/embeddings</c>.</summary>
sealed record EmbeddingList(string Object, IReadOnlyList<Embedding> Data, string Model, EmbeddingUsage Usage);

/// <summary>One vector: a list of numbers, or the base64 of its little-endian floats.</summary>
sealed record Embedding(string Object, int Index, JsonElement Vector)
{
    [System.Text.Json.Serialization.JsonPropertyName("embedding")]
    public JsonElement Vector { get; init; } = Vector;
}

/// <summary>What was read for them.</summary>
sealed record EmbeddingUsage(int PromptTokens, int TotalTokens, PromptTokensDetails PromptTokensDetails);

/// <summary>
/// <c>POST /v1/embeddings</c>: the final hidden state after a text, of length 1. Texts with a common beginning share its keys and values.
/// </summary>
static class Embeddings
{
    const int MostTexts = 2048; // what clients send at once, because OpenAI takes as many

    public static Task Handle(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, Endpoints.Embeddings, body => Embed(context, service, body));

    public static Task Embed(HttpContext context, CompletionService service, Field body)
    {
        string name = RequestReader.CheckModel(body, service.Model);
        int width = service.Model.Engine.Model.Config.Width, dimensions = body["dimensions"].Whole(1, width) ?? width;
        bool base64 = body["encoding_format"].OneOf("float", "base64") == "base64";
        CompletionRequest request = new()
        {
            Endpoint = "/v1/embeddings",
            Id = $"embd-{Guid.NewGuid():N}",
            Model = name,
            Prompts = TextCompletions.Prompts(body["input"], MostTexts, service.Model.Engine),
            Options = TextEmbedding.Options,
            Principal = Gate.PrincipalOf(context),
            Salt = RequestReader.Salt(body, Gate.PrincipalOf(context)),
        };
        return service.Serve(context, request, async run =>
        {
            GenerationResult[] results = await run.ReadAll(_ => { });
            int tokens = results.Sum(result => result.PromptTokens);
            EmbeddingList answer = new("list",
                [.. results.Select((result, i) => new Embedding("embedding", i, Json(TextEmbedding.Of(result, dimensions), base64)))],
                run.ModelName,
                new EmbeddingUsage(tokens, tokens,
                    new PromptTokensDetails(results.Sum(result => result.ReusedTokens), results.Sum(result => result.ComputedTokens))));
            await context.Response.WriteAsJsonAsync(answer, OpenAiJson.Wire.EmbeddingList, cancellationToken: context.RequestAborted);
            return "stop";
        });
    }

    static JsonElement Json(float[] vector, bool base64) => base64
        ? JsonSerializer.SerializeToElement(Convert.ToBase64String(MemoryMarshal.AsBytes<float>(vector)), OpenAiJson.Default.String)
        : JsonSerializer.SerializeToElement(vector, OpenAiJson.Default.SingleArray);
}
