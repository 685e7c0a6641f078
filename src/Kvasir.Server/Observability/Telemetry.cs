using System.Text;
using Kvasir.KvCache.Metrics;
using Kvasir.Server.Accounting;
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
    public static void Add(IServiceCollection services, Uri? otlpEndpoint)
    {
        OpenTelemetryBuilder telemetry = services.AddOpenTelemetry().ConfigureResource(resource => resource.AddService("kvasir"));
        telemetry.WithMetrics(metrics =>
        {
            metrics.AddMeter(ServerMetrics.Name, KvCacheMetrics.MeterName).AddPrometheusExporter();
            if (otlpEndpoint is { } endpoint)
                metrics.AddOtlpExporter(otlp => otlp.Endpoint = endpoint);
        });
        if (otlpEndpoint is { } collector)
            telemetry.WithTracing(tracing => tracing.AddSource(ServerMetrics.Name).AddOtlpExporter(otlp => otlp.Endpoint = collector));
    }

    /// <summary>Gauges that are read when they are asked for stand behind what the exporter writes, and vLLM's names where they are wanted.</summary>
    public static void Map(WebApplication app, bool vllmMetrics, KvEndpoints kv)
    {
        app.Use(next => async context =>
        {
            if (context.Request.Path != "/metrics")
            {
                await next(context);
                return;
            }
            context.Request.Headers.Accept = "text/plain"; // the other format has an end that nothing may follow
            await next(context);
            KvStats stats = kv.Stats();
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(Gauges.Of(stats) + (vllmMetrics ? VllmMetrics.Of(stats) : "")), context.RequestAborted);
        });
        app.UseOpenTelemetryPrometheusScrapingEndpoint("/metrics");
    }
}
