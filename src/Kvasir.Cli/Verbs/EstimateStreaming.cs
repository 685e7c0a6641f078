using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Verbs;

/// <summary>The tiers of which <c>estimate</c> is asked what of a sequence lies where.</summary>
/// <param name="Device">Bytes of the pool.</param>
/// <param name="Host">Bytes of memory behind it.</param>
/// <param name="Disk">Bytes on a disk.</param>
sealed record EstimateTiers(long Device, long Host, long Disk);

/// <summary>What of a sequence would lie where, and what a decoding step would read of it there.</summary>
/// <param name="Context">Tokens of the sequence.</param>
/// <param name="PoolTokens">Those in the pool, in whole blocks.</param>
/// <param name="HostTokens">Those that are read in the host's memory.</param>
/// <param name="DiskTokens">Those that come from the disk in every step.</param>
/// <param name="RingBytes">Bytes of the pool through which they come.</param>
/// <param name="PoolBytesRead">Bytes that a step reads in the pool.</param>
/// <param name="HostBytesRead">Bytes that it reads in the host's memory.</param>
/// <param name="DiskBytesRead">Bytes that it reads from the disk.</param>
/// <param name="StepSeconds">The least time of a step, by what <c>kvasir limits</c> has measured; null where it has not.</param>
/// <param name="Problem">Which tier is too small, and by how much; null when all have room.</param>
sealed record EstimateStreaming(int Context, long PoolTokens, long HostTokens, long DiskTokens, long RingBytes, long PoolBytesRead,
    long HostBytesRead, long DiskBytesRead, double? StepSeconds, string? Problem)
{
    public static IEnumerable<EstimateStreaming> Of(EstimateRequest request) =>
        request.Tiers is { } tiers ? request.Contexts.Select(context => Of(request, tiers, context)) : [];

    static EstimateStreaming Of(EstimateRequest request, EstimateTiers tiers, int context)
    {
        var room = ContextRoom.Of(request.Spec, Options(request, tiers, context));
        long tokens = room.Layout.BlockTokens, block = room.Layout.BlockBytes;
        long pool = room.Lies.Pool * block, host = room.Lies.Host * block, disk = room.Lies.Disk * block;
        return new EstimateStreaming(context, Math.Min(context, room.Lies.Pool * tokens), room.Lies.Host * tokens, room.Lies.Disk * tokens,
            room.RingBytes, pool, host, disk, room.Problem is null ? Seconds(request, pool + host, disk) : null, room.Problem);
    }

    static EngineOptions Options(EstimateRequest request, EstimateTiers tiers, int context) => new()
    {
        Context = context, KvDeviceBytes = tiers.Device, KvHostBytes = tiers.Host,
        KvDisk = tiers.Disk > 0 ? new DiskTierOptions { Folder = Folder, MaxBytes = tiers.Disk } : null,
        KvKeyCodec = Codec(request.Type.Keys), KvValueCodec = Codec(request.Type.Values),
    };

    static string Folder => KvFlags.Folder(null) ?? Path.GetTempPath();

    static IKvCodec Codec(ElementType type) => KvCodecs.TryParse(type.Name, out IKvCodec? codec) ? codec
        : throw new UsageException(
            $"--kv-device: expected a --kv-type that the engine stores, {string.Join(", ", KvCodecs.Names)}, not {type.Name}");

    /// <summary>The disk is read while memory is: the longer of both counts.</summary>
    static double? Seconds(EstimateRequest request, long memory, long disk)
    {
        double? reading = disk == 0 ? 0 : disk / KnownLimits.DiskReadBytesPerS(Folder);
        return KnownLimits.ReadBytesPerS is { } speed && reading is { } seconds
            ? Math.Max(((request.Weights?.ReadBytes ?? 0) + memory + disk) / speed, seconds)
            : null;
    }
}
