using System.Globalization;
using System.Text;
using Kvasir.Server.Kv;

namespace Kvasir.Server.Observability;

/// <summary>
/// The numbers under vLLM's names, for dashboards and schedulers that know those: https://docs.vllm.ai/en/latest/usage/metrics.html.
/// </summary>
static class VllmMetrics
{
    public static string Of(KvStats stats)
    {
        KvTier device = stats.Tiers[0];
        var text = new StringBuilder();
        void Add(string name, string type, double value) => text.Append(CultureInfo.InvariantCulture,
            $"# TYPE vllm:{name} {type}\nvllm:{name}{{model_name=\"{PrometheusText.Escaped(stats.Model.Id)}\"}} {value}\n");
        Add("num_requests_running", "gauge", stats.Requests.Running);
        Add("num_requests_waiting", "gauge", stats.Requests.Waiting);
        Add("kv_cache_usage_perc", "gauge", device.CapacityBlocks == 0 ? 0 : (double)device.LeasedBlocks / device.CapacityBlocks);
        Add("prefix_cache_queries_total", "counter", stats.Tokens.Prompt);
        Add("prefix_cache_hits_total", "counter", device.HitTokens);
        Add("external_prefix_cache_queries_total", "counter", stats.Tokens.Prompt - device.HitTokens);
        Add("external_prefix_cache_hits_total", "counter", stats.Tiers.Skip(1).Sum(tier => tier.HitTokens));
        Add("prompt_tokens_total", "counter", stats.Tokens.Prompt);
        Add("generation_tokens_total", "counter", stats.Tokens.Completion);
        Add("num_preemptions_total", "counter", stats.Requests.Preempted);
        Add("request_success_total", "counter", stats.Requests.Finished);
        return text.ToString();
    }
}
