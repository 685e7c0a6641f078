using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Kvasir.Server.Http;

/// <summary>Paths that are read.</summary>
static class Routes
{
    static readonly string[] s_methods = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>Answers GET, and HEAD with the same but for the body: what watches whether a server lives asks so.</summary>
    public static void MapReading(this IEndpointRouteBuilder routes, string path, RequestDelegate handle) =>
        routes.MapMethods(path, s_methods, handle);
}
