using System.Text;
using Kvasir.KvCache.Metrics;
using Kvasir.Server.Accounting;
using Kvasir.Server.Http;
using Kvasir.Server.Kv;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Kvasir.Server.Observability;

/// <summary>Carries what is measured to the outside: Prometheus at <c>/metrics</c>, and OTLP where an endpoint is named.</summary>
static class Telemetry
{
    /// <summary>ASP.NET Core's spans: by them a trace that began elsewhere, in a router perhaps, goes on here.</summary>
    const string IncomingRequests = "Microsoft.AspNetCore";

    public static void Add(IServiceCollection services, Uri? otlpEndpoint)
    {
        PrometheusText prometheus = new();
        services.AddSingleton(prometheus);
        OpenTelemetryBuilder telemetry = services.AddOpenTelemetry().ConfigureResource(resource => resource.AddService("kvasir"));
        telemetry.WithMetrics(metrics =>
        {
            metrics.AddMeter(ServerMetrics.Name, KvCacheMetrics.MeterName).AddReader(prometheus.Reader);
            if (otlpEndpoint is { } endpoint)
                metrics.AddOtlpExporter(otlp => otlp.Endpoint = endpoint);
        });
        if (otlpEndpoint is { } collector)
            telemetry.WithTracing(tracing => tracing.AddSource(ServerMetrics.Name, IncomingRequests)
                .AddOtlpExporter(otlp => otlp.Endpoint = collector));
    }

    /// <summary>What has been counted, then gauges that are read when they are asked for, and vLLM's names where they are wanted.</summary>
    public static void Map(WebApplication app, bool vllmMetrics, KvEndpoints kv)
    {
        PrometheusText prometheus = app.Services.GetRequiredService<PrometheusText>();
        app.MapReading("/metrics", context =>
        {
            context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            KvStats stats = kv.Stats();
            return context.Response.WriteAsync(prometheus.Read() + Gauges.Of(stats) + (vllmMetrics ? VllmMetrics.Of(stats) : ""));
        });
    }
}
