using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Kvasir.Cluster.Routing;

/// <summary>Carries the router's spans to where traces are collected; clients' and nodes' are joined by the context that passes.</summary>
static class RouterTelemetry
{
    /// <summary>What comes in and what goes out: without their spans a trace would fall apart.</summary>
    static readonly string[] s_carriers = ["Microsoft.AspNetCore", "System.Net.Http"];

    public static void Add(IServiceCollection services, Uri? otlpEndpoint)
    {
        if (otlpEndpoint is { } collector)
            services.AddOpenTelemetry().ConfigureResource(resource => resource.AddService("kvasir-router"))
                .WithTracing(tracing => tracing.AddSource([KvasirRouter.SourceName, .. s_carriers]).AddOtlpExporter(otlp => otlp.Endpoint = collector));
    }
}
