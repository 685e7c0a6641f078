using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers.Indexes;

/// <summary>
/// Which entries of runs to ask for to find a prompt. First those at the places where its runs should begin and end. If that leaves gaps,
/// those at both edges of each; and those of all runs that could end in the first gap, since others may have taken over the name under
/// which what begins there is found.
/// </summary>
sealed class RunSearch
{
    readonly PrefixQuery _query;
    readonly RunShape _shape;
    readonly StoreNames _names;
    readonly Dictionary<BlockKey, int> _depths = []; // blocks up to each key
    readonly HashSet<string> _asked = [];
    readonly List<StoredBlock>?[] _following;

    public RunSearch(PrefixQuery query, RunShape shape, StoreNames names)
    {
        (_query, _shape, _names) = (query, shape, names);
        Blocks = new StoredBlock?[query.Blocks];
        _following = new List<StoredBlock>?[query.Blocks + 1];
        for (int block = 0; block <= query.Blocks; block++)
            _depths[query.Before(block)] = block;
    }

    /// <summary>What was found of each full block.</summary>
    public StoredBlock?[] Blocks { get; }

    /// <summary>Of all that was found behind so many blocks, that which goes on longest like the prompt.</summary>
    public StoredBlock? Following(int block) =>
        _following[block]?.MaxBy(other => _query.TokensOf(block).CommonPrefixLength(other.Tokens));

    /// <summary>The names to ask for next; none when that is of no use.</summary>
    public IReadOnlyList<string> Next() => [.. (_asked.Count == 0 ? Ends() : Gaps()).Where(_asked.Add)];

    /// <summary>Takes what was found.</summary>
    public void Add(IEnumerable<RunEntry?> found)
    {
        foreach (RunEntry run in found.OfType<RunEntry>())
            if (_depths.TryGetValue(run.Run.Before, out int depth))
                Add(run, depth);
    }

    void Add(RunEntry run, int depth)
    {
        foreach (StoredBlock block in run.There)
        {
            int at = depth + block.Index;
            if (at > _query.Blocks || block.Parent != _query.Before(at))
                return; // it has gone on differently before
            (_following[at] ??= []).Add(block);
            if (at < _query.Blocks && _query.TokensOf(at).SequenceEqual(block.Tokens))
                Blocks[at] ??= block;
        }
    }

    IEnumerable<string> Ends()
    {
        yield return _names.Following(_query.Root);
        for (int block = 0; block < _query.Blocks; block++)
            if (block == _query.Blocks - 1 || _shape.Ends(_query.Keys[block]))
            {
                yield return _names.End(_query.Keys[block]);
                yield return _names.Following(_query.Keys[block]);
            }
    }

    IEnumerable<string> Gaps()
    {
        bool isFirst = true;
        for (int start = 0, end; start < Blocks.Length; start = end + 1)
        {
            for (end = start; end < Blocks.Length && Blocks[end] is null; end++) { }
            if (end == start)
                continue;
            yield return _names.Following(_query.Before(start));
            yield return _names.End(_query.Keys[end - 1]);
            for (int block = start; isFirst && IsFrequented(start) && block < Math.Min(end, start + _shape.MostBlocks); block++)
                yield return _names.End(_query.Keys[block]);
            isFirst = false;
        }
    }

    /// <summary>Whether somebody has been here, and others perhaps before him.</summary>
    bool IsFrequented(int block) => block > 0 && Blocks[block - 1] is not null || _following[block] is not null;
}
