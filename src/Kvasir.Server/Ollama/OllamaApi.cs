using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Kvasir.Server.Ollama;

/// <summary>Ollama's API: https://github.com/ollama/ollama/blob/main/docs/api.md.</summary>
static class OllamaApi
{
    /// <summary>What asks whether a server is Ollama's looks for these words.</summary>
    public static Task Alive(HttpContext context)
    {
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync("Ollama is running", context.RequestAborted);
    }

    public static void Map(IEndpointRouteBuilder routes, CompletionService service)
    {
        ModelPages models = new(service.Model);
        routes.MapReading("/api/tags", models.Tags);
        routes.MapReading("/api/ps", models.Running);
        routes.MapReading("/api/version", ModelPages.Version);
        routes.MapPost("/api/show", models.Show);
        routes.MapPost("/api/chat", context => Chat.Handle(context, service));
        routes.MapPost("/api/generate", context => Generate.Handle(context, service));
        routes.MapPost("/api/embed", context => Embed.Handle(context, service));
        routes.MapPost("/api/embeddings", context => Embed.HandleOne(context, service));
        foreach (string verb in (string[])["pull", "push", "create", "copy", "delete"])
            routes.MapMethods($"/api/{verb}", ["POST", "DELETE"], _ => throw Missing(verb));
        routes.MapMethods("/api/blobs/{digest}", ["POST", "HEAD"], _ => throw Missing("blobs"));
    }

    static RequestException Missing(string what) => new(501,
        $"{what}: this server serves the one model that it was started with, and has no store of others; `kvasir pull` fetches models, "
            + $"`kvasir serve -m NAME` serves them", code: "not_supported");
}
