using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Streaming;

namespace Kvasir.Inference;

/// <summary>How large the pool is, and how sequences may be longer than it.</summary>
public sealed partial class InferenceEngine
{
    /// <summary>What of a sequence at full context lies where.</summary>
    public ContextRoom Room { get; }

    /// <summary>
    /// What a step will read of a sequence of so many tokens that has the tiers for itself; null where the pool has room for it.
    /// </summary>
    public StreamForecast? Foresee(int tokens) => _parts.Forecast.Of(tokens);

    /// <summary>What was read for sequences that are longer than the pool; null where that has room for all.</summary>
    public StreamCounts? Streaming => Cache.Streamed is not { } streamed ? null : new StreamCounts(
        Room.RingBytes, streamed.File?.Counts.Total ?? 0, streamed.File?.Counts is { } counts ? counts.Total - counts.Free : 0,
        streamed.Ring?.BytesRead ?? 0, streamed.Ring?.ReadTime ?? default, streamed.Ring?.Waited ?? default, _parts.Forecast.DiskBytesPerS);

    /// <summary>Blocks of the pool and, when it is smaller than the context, how the rest is streamed.</summary>
    (int DeviceBlocks, StreamingOptions? Streaming) PoolOf()
    {
        if (Options.KvDeviceBytes is null)
            return (checked((int)(Room.Blocks - 1) * Options.Sequences + 1
                + (Options.KvRetention is null or { ReadsPages: true } ? 0 : BlocksOfView(Layout, Context))), null);
        if (Room.Problem is { } problem)
            throw new ArgumentException(problem);
        return ((int)Room.Capacity.Pool, !Room.Streams ? null : new StreamingOptions
        {
            Blocks = (int)Math.Min(int.MaxValue / Layout.BlockTokens, Room.Blocks * Math.Max(2, Options.Sequences)),
            Resident = Room.Resident, Disk = Options.KvDisk, RingBytes = Room.RingBytes,
        });
    }

    /// <summary>Where there is no memory for all blocks, that of one sequence at full context will do.</summary>
    IBlockArena NewArena(KvLayout layout, int blocks)
    {
        try
        {
            return Model.Backend.NewArena(layout, blocks);
        }
        catch (InsufficientMemoryException) when (layout == Layout && blocks > Room.Blocks && Options.KvDeviceBytes is null)
        {
            return Model.Backend.NewArena(layout, checked((int)Room.Blocks));
        }
    }

    /// <summary>
    /// The context that a model can have in the tiers of some options: what it was trained for or, if less, what they have room for beside
    /// a pool for <see cref="EngineOptions.DefaultContext"/>, from which more is streamed.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="options">The sizes.</param>
    /// <param name="isShort">Whether it is less than the tiers may take because a disk has too little free.</param>
    public static int ContextFor(LanguageModel model, EngineOptions options, out bool isShort)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        int wanted = options.Context ?? model.Config.Context, usual = Math.Min(EngineOptions.DefaultContext, wanted);
        EngineOptions whole = options with
        {
            Context = wanted,
            KvDeviceBytes = options.KvDeviceBytes ?? PoolBytes(model, options with { Context = usual }),
        };
        ContextRoom here = ContextRoom.Here(model.Config, whole), room = ContextRoom.Of(model.Config, whole);
        isShort = Longest(here) < Longest(room);
        return Longest(here);

        static int Longest(ContextRoom room) => (int)Math.Clamp(room.LongestContext, 1, room.Context);
    }
}
