using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.LlamaServer;

/// <summary>The vector of one text, in a list as if there were one of each token.</summary>
sealed record TextVector(int Index, IReadOnlyList<float[]> Embedding);

/// <summary><c>POST /embedding</c> and <c>/embeddings</c>, in llama-server's own terms.</summary>
static class Embedding
{
    public static Task Handle(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, Endpoints.Embedding, body => Embed(context, service, body));

    /// <summary>As of <see cref="Completion.HandleEither"/>: who names a model speaks OpenAI's protocol.</summary>
    public static Task HandleEither(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, body => body["model"].IsAbsent ? Endpoints.Embedding : Endpoints.Embeddings,
            (endpoint, body) => endpoint == Endpoints.Embedding ? Embed(context, service, body) : Embeddings.Embed(context, service, body));

    static Task Embed(HttpContext context, CompletionService service, Field body)
    {
        RequestReader.CheckModel(body, service.Model);
        body.CheckAlternatives("content", "input");
        double norm = body["embd_normalize"].Whole(-1, 1000) ?? 2;
        Field content = body["content"].IsAbsent ? body["input"] : body["content"];
        CompletionRequest request = new()
        {
            Endpoint = "/embedding",
            Id = $"embd-{Guid.NewGuid():N}",
            Prompts = PromptField.Read(content, service.Model.Engine).Prompts,
            Options = TextEmbedding.Options,
            Principal = Gate.PrincipalOf(context),
            Salt = RequestReader.Salt(body, Gate.PrincipalOf(context)),
        };
        return service.Serve(context, request, async run =>
        {
            GenerationResult[] results = await run.ReadAll(_ => { });
            TextVector[] answer = [.. results.Select((result, i) => new TextVector(i, [Scaled(result.Hidden!.Value.Span, norm)]))];
            await context.Response.WriteAsJsonAsync(
                answer, LlamaServerJson.Wire.TextVectorArray, cancellationToken: context.RequestAborted);
            return "stop";
        });
    }

    /// <summary>Of length 1 in a p-norm: 1 taxicab, 2 Euclidean, and so on; 0 makes the largest 32,760, and −1 leaves it.</summary>
    static float[] Scaled(ReadOnlySpan<float> vector, double norm)
    {
        double sum = 0;
        foreach (float value in vector)
            sum = norm == 0 ? Math.Max(sum, Math.Abs(value) / 32760.0) : sum + Math.Pow(Math.Abs(value), norm);
        double length = norm < 0 || sum == 0 ? 1 : norm == 0 ? sum : Math.Pow(sum, 1 / norm);
        return [.. vector.ToArray().Select(value => (float)(value / length))];
    }
}
