using Kvasir.Server.Http;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Kvasir.Server.LlamaServer;

/// <summary>
/// The API of llama.cpp's server, besides what it has in common with OpenAI's:
/// https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md.
/// </summary>
static class LlamaServerApi
{
    /// <param name="routes">Where it is added.</param>
    /// <param name="service">Who serves completions.</param>
    /// <param name="showsSlots">Whether slots are told.</param>
    /// <param name="slotFolder">Where slots are saved; null for nowhere.</param>
    public static void Map(IEndpointRouteBuilder routes, CompletionService service, bool showsSlots, string? slotFolder)
    {
        ServedModel model = service.Model;
        routes.MapPost("/completion", context => Completion.Handle(context, service));
        routes.MapPost("/completions", context => Completion.HandleEither(context, service));
        routes.MapPost("/infill", context => Completion.Infill(context, service));
        routes.MapPost("/chat/completions", context => ChatCompletions.Handle(context, service));
        foreach (string prefix in (string[])["", "/v1"])
            routes.MapPost($"{prefix}/chat/completions/input_tokens", context => Templates.Count(context, model));
        routes.MapPost("/apply-template", context => Templates.Write(context, model));
        routes.MapReading("/tokenizer_info", context => Tokens.Tell(context, model));
        routes.MapPost("/tokenize", context => Tokens.Tokenize(context, model));
        routes.MapPost("/detokenize", context => Tokens.Detokenize(context, model));
        routes.MapPost("/embedding", context => Embedding.Handle(context, service));
        routes.MapPost("/embeddings", context => Embedding.HandleEither(context, service));
        routes.MapReading("/models", context => Models.List(context, model));
        Props props = new(model, showsSlots);
        routes.MapReading("/props", props.Get);
        routes.MapPost("/props", Props.Post);
        SlotEndpoints slots = new(model, showsSlots, slotFolder);
        routes.MapReading("/slots", slots.List);
        routes.MapPost("/slots/{id}", slots.Act);
        MapMissing(routes);
    }

    /// <summary>What models of this server cannot do.</summary>
    static void MapMissing(IEndpointRouteBuilder routes)
    {
        foreach (string path in (string[])["/rerank", "/reranking", "/v1/rerank", "/v1/reranking"])
            routes.MapPost(path, _ => throw new RequestException(501,
                "this model does not rank documents: no model with a ranking head can be served yet", code: "not_supported"));
        routes.MapReading("/lora-adapters", context => context.Response.WriteAsJsonAsync<System.Text.Json.Nodes.JsonNode>(
            new System.Text.Json.Nodes.JsonArray(), LlamaServerJson.Wire.JsonNode));
        routes.MapPost("/lora-adapters", _ => throw new RequestException(501, "there are no adapters here", code: "not_supported"));
    }
}
