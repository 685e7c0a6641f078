using System.Globalization;
using System.Text;
using Kvasir.Server.Kv;

namespace Kvasir.Server.Observability;

/// <summary>What is so at this moment, in Prometheus's text format: occupancy, leases and queue.</summary>
static class Gauges
{
    public static string Of(KvStats stats)
    {
        var text = new StringBuilder();
        void Gauge(string name, string help, IEnumerable<(string Labels, double Value)> values)
        {
            text.Append(CultureInfo.InvariantCulture, $"# HELP kvasir_{name} {help}\n# TYPE kvasir_{name} gauge\n");
            foreach ((string labels, double value) in values)
                text.Append(CultureInfo.InvariantCulture, $"kvasir_{name}{labels} {value}\n");
        }
        Gauge("kv_capacity_bytes", "Bytes that a tier may hold", PerTier(tier => tier.CapacityBytes));
        Gauge("kv_used_bytes", "Bytes that a tier holds", PerTier(tier => tier.UsedBytes));
        Gauge("kv_blocks", "Blocks that a tier holds", PerTier(tier => tier.Blocks));
        Gauge("kv_leased_blocks", "Blocks that sequences hold", PerTier(tier => tier.LeasedBlocks));
        Gauge("kv_pinned_blocks", "Blocks that somebody keeps", PerTier(tier => tier.PinnedBlocks));
        Gauge("kv_problem", "Whether something is wrong with a tier: its blocks are computed",
            stats.Tiers.Select(tier => tier.Tier).Union(stats.Problems?.Keys ?? []).Select(
                tier => ($"{{tier=\"{tier}\"}}", stats.Problems?.ContainsKey(tier) == true ? 1.0 : 0)));
        if (stats.Windows is { } windows)
        {
            Gauge("kv_window_used_bytes", "Of a tier's bytes, those of layers with windows", PerWindow(tier => tier.UsedBytes));
            Gauge("kv_window_blocks", "Blocks of layers with windows that a tier holds", PerWindow(tier => tier.Blocks));
            Gauge("kv_window_leased_blocks", "Of those, blocks that sequences hold", PerWindow(tier => tier.LeasedBlocks));

            IEnumerable<(string, double)> PerWindow(Func<KvWindowTier, long> value) =>
                windows.Tiers.Select(tier => ($"{{tier=\"{tier.Tier}\"}}", (double)value(tier)));
        }
        Gauge("kv_views", "Views that retention policies have made", [("", stats.Views.Count)]);
        Gauge("kv_retained_bytes", "Bytes that views take", [("", stats.Views.Bytes)]);
        Gauge("kv_retained_ratio", "Their bytes over those of the exact prefixes; none without views",
            stats.Views.Count == 0 ? [] : [("", stats.Views.Bytes / (double)stats.Views.ExactBytes)]);
        Gauge("kv_retained_mass", "Share of their attention that rows gave to what views keep; none where no rows looked",
            stats.Views is { Mass: { } mean, LeastMass: { } least } ? [("{over=\"mean\"}", mean), ("{over=\"least\"}", least)] : []);
        Gauge("kv_step_saved_bytes", "Bytes that a step behind a view reads less, in the mean over views; none without views",
            stats.Views.Count == 0 ? [] : [("", stats.Views.StepBytesSaved)]);
        Gauge("kv_step_saved_seconds", "About the time that this takes; none where kvasir limits has not measured the memory",
            stats.Views.StepSavedS is { } saved ? [("", saved)] : []);
        Gauge("requests_running", "Completions that compute", [("", stats.Requests.Running)]);
        Gauge("requests_waiting", "Completions that wait", [("", stats.Requests.Waiting)]);
        return text.ToString();

        IEnumerable<(string, double)> PerTier(Func<KvTier, long> value) =>
            stats.Tiers.Select(tier => ($"{{tier=\"{tier.Tier}\"}}", (double)value(tier)));
    }
}
