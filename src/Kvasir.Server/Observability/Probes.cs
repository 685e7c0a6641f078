using System.Reflection;
using System.Text.Json.Nodes;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Kvasir.Server.Observability;

/// <summary>What those who watch vLLM ask: whether it lives, which version it is, and how much it has to do.</summary>
static class Probes
{
    static readonly string s_version = typeof(Probes).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
        .InformationalVersion.Split('+')[0];

    public static void Map(IEndpointRouteBuilder routes, ServedModel model)
    {
        routes.MapReading("/ping", _ => Task.CompletedTask);
        routes.MapReading("/version", context => Write(context, new JsonObject { ["version"] = s_version }));
        routes.MapReading("/load", context => Write(context,
            new JsonObject { ["server_load"] = model.Engine.Serving.Running + model.Engine.Serving.Waiting }));
    }

    static Task Write(HttpContext context, JsonObject answer)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        return context.Response.WriteAsync(answer.ToJsonString());
    }
}
