using System.Text.Json;

namespace Kvasir.Serving;

/// <summary>What a server tells of its KV cache at <c>/v1/kv/stats</c>, if it has such a thing.</summary>
static class KvStats
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5), s_poll = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Blocks that are leased although no request is left; null if the server does not tell. Those who have just gone get a few seconds.
    /// </summary>
    public static async Task<long?> LeasedBlocksAtRestAsync(HttpClient http, CancellationToken cancellation)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(s_patience);
        long? leased = await LeasedBlocksAsync(http, cancellation);
        while (leased > 0 && !patience.IsCancellationRequested)
        {
            await Task.Delay(s_poll, cancellation);
            leased = await LeasedBlocksAsync(http, cancellation);
        }
        return leased;
    }

    /// <summary>The sum over all tiers.</summary>
    static async Task<long?> LeasedBlocksAsync(HttpClient http, CancellationToken cancellation)
    {
        try
        {
            using JsonDocument stats = JsonDocument.Parse(await http.GetStringAsync("v1/kv/stats", cancellation));
            return stats.RootElement.GetProperty("tiers").EnumerateArray().Sum(tier => tier.GetProperty("leased_blocks").GetInt64());
        }
        catch (Exception e)
            when (e is HttpRequestException or JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            return null;
        }
    }
}
