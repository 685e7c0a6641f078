using System.Text.Json;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.KvCache.Replay;

/// <summary>
/// Requests in order, each the numbers of its prompt's blocks from the first to the deepest; equal numbers name
/// equal blocks and equal prefixes.
/// </summary>
sealed class Trace(IReadOnlyList<int[]> requests)
{
    public IReadOnlyList<int[]> Requests { get; } = requests;

    readonly Lazy<int[]> _parents = new(() => ParentsOf(requests));

    /// <summary>The block before another; -1 for none.</summary>
    public int Parent(int block) => _parents.Value[block];

    /// <summary>Blocks are numbered below this.</summary>
    public int Blocks { get; } = requests.Max(blocks => blocks.Max()) + 1;

    /// <summary>
    /// One hour of conversations: 12,031 requests, blocks of 512 tokens. Qin et al., "Mooncake: Trading more storage
    /// for less computation", FAST 2025.
    /// </summary>
    public static Trace Conversation()
    {
        var requests = new List<int[]>();
        foreach (string line in File.ReadLines(Checkout.Shared("traces/mooncake_conversation.jsonl")))
            using (JsonDocument request = JsonDocument.Parse(line))
                requests.Add([.. request.RootElement.GetProperty("hash_ids").EnumerateArray().Select(id => id.GetInt32())]);
        return new Trace(requests);
    }

    static int[] ParentsOf(IReadOnlyList<int[]> requests)
    {
        int[] parents = new int[requests.Max(blocks => blocks.Max()) + 1];
        foreach (int[] request in requests)
            for (int depth = 0; depth < request.Length; depth++)
                parents[request[depth]] = depth == 0 ? -1 : request[depth - 1];
        return parents;
    }

    /// <summary>
    /// Conversations that grow by two blocks a turn and share a system prompt of four. Now and then one document of <paramref name="scan"/>
    /// blocks is asked about once and never again.
    /// </summary>
    public static Trace Synthetic(int conversations, int turns, int scan)
    {
        var random = new Random(1);
        int next = 0;
        int[] system = [.. Fresh(4)], turn = new int[conversations];
        int[][] history = [.. Enumerable.Repeat(system, conversations)];
        var requests = new List<int[]>();
        for (int i = 0; i < turns; i++)
        {
            int conversation = random.Next(conversations);
            history[conversation] = turn[conversation]++ % 8 == 7 ? [.. system, .. Fresh(2)] : [.. history[conversation], .. Fresh(2)];
            requests.Add(history[conversation]);
            if (scan > 0 && i % 5 == 0)
                requests.Add([.. system, .. Fresh(scan)]);
        }
        return new Trace(requests);

        IEnumerable<int> Fresh(int count) => [.. Enumerable.Range((next += count) - count, count)];
    }
}
