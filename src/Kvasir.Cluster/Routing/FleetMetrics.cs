using System.Globalization;
using System.Text;

namespace Kvasir.Cluster.Routing;

/// <summary>
/// What a router counts of each node, in Prometheus's text format: https://prometheus.io/docs/instrumenting/exposition_formats.
/// </summary>
static class FleetMetrics
{
    public static string Of(NodeList nodes)
    {
        var text = new StringBuilder();
        void Add(string name, string type, string help, Func<Node, double> value)
        {
            text.Append(CultureInfo.InvariantCulture, $"# HELP kvasir_router_{name} {help}\n# TYPE kvasir_router_{name} {type}\n");
            foreach (Node node in nodes.All)
                text.Append(CultureInfo.InvariantCulture, $"kvasir_router_{name}{{node=\"{node.Name}\"}} {value(node)}\n");
        }
        Add("node_up", "gauge", "Whether a node takes requests", node => node.IsAlive ? 1 : 0);
        Add("node_running", "gauge", "Completions that compute there", node => node.Load.Running);
        Add("node_waiting", "gauge", "Completions that wait there, with those sent since it was asked", node => node.Load.Waiting);
        Add("node_queued_tokens", "gauge", "Tokens of prompts that it has to compute", node => node.Load.QueuedTokens);
        Add("node_prefill_tokens_per_second", "gauge", "How fast it computes prompts", node => node.Load.PrefillTokensPerSecond);
        Add("node_in_flight", "gauge", "Requests that it is answering through this router", node => node.InFlight);
        Add("node_known_pieces", "gauge", "Pieces of prompts that it is thought to have", node => nodes.Prefixes.Count(node.Number));
        Add("requests_routed_total", "counter", "Requests that were sent there", node => node.Counts.RoutedRequests);
        Add("requests_retried_total", "counter", "Requests that went elsewhere afterwards", node => node.Counts.RetriedRequests);
        Add("requests_failed_total", "counter", "Requests that failed there", node => node.Counts.FailedRequests);
        Add("requests_hinted_total", "counter", "Requests sent where a part of their prompt was thought to be",
            node => node.Counts.HintedRequests);
        Add("hinted_pieces_total", "counter", "Pieces of those parts", node => node.Counts.HintedPieces);
        Add("lost_pieces_total", "counter", "Pieces that nobody else had when the node was lost", node => node.Counts.LostPieces);
        return text.ToString();
    }
}
