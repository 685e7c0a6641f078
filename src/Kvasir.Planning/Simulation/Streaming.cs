using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Streaming;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// Requests that are longer than the device tier, as in the engine: what finds no room there lies in the host's memory, and then on the
/// disk, and every pass reads it from there while it computes: the longer of both counts. Each is taken to have the tiers for itself.
/// </summary>
sealed class Streaming
{
    const int PassTokens = 256; // of a prompt

    readonly SimulatedTier? _host, _disk;
    readonly TierBlocks _room;
    readonly long _blockBytes;
    readonly int _blockTokens;

    public Streaming(SimulationOptions options, int blockTokens)
    {
        (_blockTokens, _blockBytes) = (blockTokens, options.BytesPerToken * blockTokens);
        _host = options.Tiers.FirstOrDefault(tier => tier.Tier == Tier.Host);
        _disk = options.Tiers.FirstOrDefault(tier => tier.Tier == Tier.Disk);
        _room = new TierBlocks(options.Tiers[0].Bytes / _blockBytes, (_host?.Bytes ?? 0) / _blockBytes, (_disk?.Bytes ?? 0) / _blockBytes);
    }

    long _requests, _noRoom;
    double _longestStep;
    TierBlocks _most;

    /// <summary>Whether the device has no room for a request, and other tiers have.</summary>
    public bool Needs(Visit visit) => visit.Prefix == 0 && BlocksOf(visit) is var blocks && blocks > _room.Pool && blocks <= _room.All;

    /// <summary>Seconds between two tokens of an answer, where they would be so many if the device had room.</summary>
    public double Step(Visit visit, double step)
    {
        if (visit.Prefix > 0 || BlocksOf(visit) is var blocks && blocks <= _room.Pool)
            return step;
        if (blocks > _room.All)
        {
            _noRoom++;
            return step;
        }
        TierBlocks lies = _room.Fill(blocks);
        double seconds = Math.Max(step, Seconds(lies));
        (_requests, _longestStep) = (_requests + 1, Math.Max(_longestStep, seconds));
        if (lies.All > _most.All)
            _most = lies;
        return seconds;
    }

    /// <summary>Seconds to compute what is missing of a prompt, where they would be so many if the device had room.</summary>
    public double Prefill(Visit visit, double compute)
    {
        if (!Needs(visit))
            return compute;
        double reading = 0;
        int pass = Math.Max(1, PassTokens / _blockTokens);
        for (int first = 0; first < visit.Found.Length; first += pass)
            if (visit.Found.AsSpan(first, Math.Min(pass, visit.Found.Length - first)).Contains(-1))
                reading += Seconds(_room.Fill(first));
        return Math.Max(compute, reading);
    }

    /// <summary>What came of it; null when there was none.</summary>
    public StreamingResult? Result() => _requests + _noRoom == 0 ? null : new StreamingResult(
        _requests, _noRoom, _most.Host * _blockBytes, _most.Disk * _blockBytes, _longestStep);

    long BlocksOf(Visit visit) => ((long)visit.Request.InputTokens + visit.Request.OutputTokens + _blockTokens - 1) / _blockTokens;

    double Seconds(TierBlocks lies) => (lies.Host > 0 ? lies.Host * _blockBytes / _host!.BytesPerS : 0)
        + (lies.Disk > 0 ? lies.Disk * _blockBytes / _disk!.BytesPerS : 0);
}

/// <summary>Requests that were longer than the device tier.</summary>
/// <param name="Requests">Those that were read from colder tiers in part.</param>
/// <param name="NoRoom">Those for which all tiers together had no room: nothing could answer them.</param>
/// <param name="HostBytes">Bytes that a step of the longest read in the host's memory.</param>
/// <param name="DiskBytes">Bytes that it read from the disk.</param>
/// <param name="LongestStep">Seconds of its step.</param>
public sealed record StreamingResult(long Requests, long NoRoom, long HostBytes, long DiskBytes, double LongestStep);
