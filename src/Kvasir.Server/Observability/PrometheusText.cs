using System.Globalization;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Kvasir.Server.Observability;

/// <summary>
/// What the instruments have counted, in Prometheus's text format: https://prometheus.io/docs/instrumenting/exposition_formats. Names
/// follow https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics. OpenTelemetry's own exporter is a prerelease,
/// on which no stable package may depend; sums and histograms are all that is written, because our instruments are no other.
/// </summary>
sealed class PrometheusText : BaseExporter<Metric>
{
    volatile string _text = "";

    public PrometheusText() => Reader = new BaseExportingMetricReader(this);

    /// <summary>What the meter provider has to know.</summary>
    public BaseExportingMetricReader Reader { get; }

    /// <summary>The state of all instruments now.</summary>
    public string Read()
    {
        Reader.Collect();
        return _text;
    }

    public override ExportResult Export(in Batch<Metric> batch)
    {
        var text = new StringBuilder();
        foreach (Metric metric in batch)
            Add(text, metric);
        _text = text.ToString();
        return ExportResult.Success;
    }

    static void Add(StringBuilder text, Metric metric)
    {
        string type = metric.MetricType switch
        {
            MetricType.LongSum or MetricType.DoubleSum => "counter",
            MetricType.Histogram => "histogram",
            _ => "gauge",
        };
        string name = Name(metric, type);
        text.Append(CultureInfo.InvariantCulture, $"# TYPE {name} {type}\n# HELP {name} {metric.Description}\n");
        foreach (ref readonly MetricPoint point in metric.GetMetricPoints())
            Add(text, name, Labels(metric, point), metric.MetricType, point);
    }

    static void Add(StringBuilder text, string name, string labels, MetricType type, in MetricPoint point)
    {
        if (type == MetricType.Histogram)
            AddHistogram(text, name, labels, point);
        else
            Line(text, name, labels, type.IsDouble() ? point.GetSumDouble() : point.GetSumLong());
    }

    static void AddHistogram(StringBuilder text, string name, string labels, in MetricPoint point)
    {
        long below = 0;
        foreach (HistogramBucket bucket in point.GetHistogramBuckets())
            Line(text, $"{name}_bucket", $"{labels},le=\"{Number(bucket.ExplicitBound)}\"", below += bucket.BucketCount);
        Line(text, $"{name}_sum", labels, point.GetHistogramSum());
        Line(text, $"{name}_count", labels, point.GetHistogramCount());
    }

    static void Line(StringBuilder text, string name, string labels, double value) =>
        text.Append(CultureInfo.InvariantCulture, $"{name}{{{labels}}} {Number(value)}\n");

    /// <summary><c>kvasir.kv.transfer.duration</c> in <c>s</c> becomes <c>kvasir_kv_transfer_duration_seconds</c>.</summary>
    static string Name(Metric metric, string type)
    {
        string name = metric.Name.Replace('.', '_'), unit = metric.Unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
        return (name.EndsWith(unit, StringComparison.Ordinal) ? name : name + unit) + (type == "counter" ? "_total" : "");
    }

    static string Labels(Metric metric, in MetricPoint point)
    {
        var labels = new StringBuilder($"otel_scope_name=\"{metric.MeterName}\"");
        foreach ((string key, object? value) in point.Tags)
            labels.Append(CultureInfo.InvariantCulture, $",{key.Replace('.', '_')}=\"{Escaped($"{value}")}\"");
        return labels.ToString();
    }

    /// <summary>A label's value as it stands between quotes.</summary>
    public static string Escaped(string value) =>
        value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal);

    static string Number(double value) => double.IsPositiveInfinity(value) ? "+Inf" : value.ToString(CultureInfo.InvariantCulture);
}
