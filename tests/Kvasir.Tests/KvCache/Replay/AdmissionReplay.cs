using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Tests.KvCache.Replay;

/// <summary>When a block is written to the disk.</summary>
enum Admission
{
    /// <summary>At the end of the request that computed it.</summary>
    EndOfRequest,

    /// <summary>At the end of the second request that wanted it, wherever that found it.</summary>
    SecondUse,

    /// <summary>When the host gives it up.</summary>
    HostEviction,

    /// <summary>When the host gives it up, if it was wanted again meanwhile.</summary>
    HostEvictionIfUsed,
}

/// <summary>A host tier in front of a disk. What is on the disk is brought back into the host; the disk keeps it.</summary>
sealed class AdmissionReplay
{
    readonly Admission _admission;
    readonly ReplayedTier _host;
    readonly ReplayedTier _disk;
    readonly int[] _uses;

    AdmissionReplay(Trace trace, Admission admission, int hostBlocks, int diskBlocks)
    {
        (_admission, _uses) = (admission, new int[trace.Blocks]);
        _host = new ReplayedTier(new S3Fifo(), hostBlocks, trace) { Evicted = Offload };
        _disk = new ReplayedTier(new LeafFirstLru(), diskBlocks, trace);
    }

    /// <summary>Blocks found in either tier, and blocks found on the disk alone beside those written to it.</summary>
    public static (HitCounts Total, HitCounts Disk) Run(Trace trace, Admission admission, int hostBlocks, int diskBlocks)
    {
        var replay = new AdmissionReplay(trace, admission, hostBlocks, diskBlocks);
        HitCounts total = new(), disk = new();
        foreach (int[] request in trace.Requests)
        {
            total = total.With(request, block => replay._host.Holds(block) || replay._disk.Holds(block));
            disk = disk.With(request, block => !replay._host.Holds(block) && replay._disk.Holds(block));
            replay.Serve(request);
        }
        return (total, disk with { Written = replay._disk.Written });
    }

    void Serve(int[] request)
    {
        foreach (int block in request)
            _uses[block]++;
        foreach (int block in request.Reverse())
            if (_disk.Holds(block))
                _disk.Use(block);
            else if (_admission == Admission.EndOfRequest || (_admission == Admission.SecondUse && _uses[block] >= 2))
                _disk.Add(block);
        CacheReplay.Serve(_host, request);
    }

    void Offload(int block)
    {
        if (!_disk.Holds(block)
            && (_admission == Admission.HostEviction || (_admission == Admission.HostEvictionIfUsed && _uses[block] >= 2)))
            _disk.Add(block);
    }
}
