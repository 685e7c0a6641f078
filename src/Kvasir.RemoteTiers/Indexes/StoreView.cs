using System.Collections.Immutable;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.RemoteTiers.Settings;
using Kvasir.RemoteTiers.Stores;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers.Indexes;

/// <summary>One model's blocks in a store: what they are called, where they are and what they look like there.</summary>
sealed class StoreView
{
    public StoreView(RemoteTierOptions options, IBlockStore store, Seal? seal, Fingerprint model, int blockTokens,
        ImmutableArray<LayerGroup> groups, KnownBlocks known)
    {
        Groups = groups;
        Names = StoreNames.In(options.Address, seal?.NameKey);
        Records = new StoredRecords(store, seal);
        Format = new ValueFormat(blockTokens, model, groups);
        Shape = RunShape.For(options.Address.Protocol, groups);
        Values = new RunValues(groups, Format, Names, Records, Shape);
        Index = Shape.IsOfObjects
            ? new RunIndex(store, Names, Records, Values, Shape, Format, known, options.Address.Life)
            : new BlockIndex(store, Names, Records, Values, Format);
        Pins = new PinBook(store, Names, Records, Values, Index, options.Address.Life, options.Time);
    }

    public ImmutableArray<LayerGroup> Groups { get; }

    public StoreNames Names { get; }

    public StoredRecords Records { get; }

    public ValueFormat Format { get; }

    public RunShape Shape { get; }

    public RunValues Values { get; }

    public IStoreIndex Index { get; }

    public PinBook Pins { get; }
}
