using System.Collections.Immutable;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.RemoteTiers.Settings;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>What is in a bucket may be anything: all that is not what was written is a miss.</summary>
public sealed unsafe class S3FormatTests : IDisposable
{
    const int Blocks = 3;

    readonly KvLayout _layout = new(4, F16Codec.Instance, [.. Enumerable.Repeat(new KvLayer(new LayerState.Full(), 1, 512, 0), 1)]);
    readonly Fingerprint _model = BlockChains.Model("model");
    readonly BlockChains _chains;

    public S3FormatTests() => _chains = new BlockChains(_layout);

    public void Dispose() => _chains.Dispose();

    BlockWrite[] Chain(string salt) => _chains.Chain(_model, salt, Blocks);

    static StoredBlock[] Stored(BlockWrite[] blocks) => [.. blocks.Select((block, i) =>
        new StoredBlock(block.Parent, block.Tokens, RunEntry.RunOf(blocks, 4), i, DateTimeOffset.FromUnixTimeSeconds(1000)))];

    [Fact]
    public void Entries_of_runs_are_what_was_written_or_none()
    {
        BlockWrite[] blocks = Chain("somebody");
        byte[] bytes = RunEntry.Of(Stored(blocks)).ToBytes(_model);
        RunEntry read = RunEntry.Read(bytes, _model, 4)!;
        Assert.Equal(blocks.Select(block => block.Key), read.There.Select(block => block.Key));
        Assert.Equal(RunEntry.RunOf(blocks, 4), read.Run);
        Assert.Equal((blocks[2].Key, blocks[1].Key, blocks[0].Parent), (read.Run.Last, read.Run.LastFull, read.Run.Before));
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1000), read.Blocks[0].Written);
        Assert.Equal([0, 2], RunEntry.Read((read with { Present = 0b101 }).ToBytes(_model), _model, 4)!.There.Select(block => block.Index));
        Assert.Null(RunEntry.Read(bytes, default, 4));
        for (int at = 0; at < bytes.Length; at++)
        {
            bytes[at] ^= 0x41;
            Assert.Null(RunEntry.Read(bytes, _model, 4));
            bytes[at] ^= 0x41;
            Assert.Null(RunEntry.Read(bytes.AsSpan(0, at), _model, 4));
        }
    }

    [Fact]
    public void Runs_end_where_a_key_says_it_for_everybody()
    {
        RunShape shape = RunShape.For(StoreProtocol.S3, LayerGroup.Of(_layout, 1 << 20));
        Assert.Equal((64, 32, true), (shape.MostBlocks, shape.EndsEvery, shape.IsOfObjects));
        BlockKey key = KeyChain.Root(_model, []);
        int ends = 0;
        for (int i = 0; i < 3200; i++)
            ends += shape.Ends(key = KeyChain.Next(key, [i])) ? 1 : 0;
        Assert.InRange(ends, 60, 140);
    }

    [Fact]
    public void A_run_copied_under_another_name_is_a_miss_a_thousand_times()
    {
        using Seal seal = new(new byte[32]);
        RemoteAddress address = RemoteAddress.Parse("s3://bucket");
        ImmutableArray<LayerGroup> groups = LayerGroup.Of(_layout, 1 << 20);
        ValueFormat format = new(_layout.BlockTokens, _model, groups);
        RunShape shape = RunShape.For(StoreProtocol.S3, groups);
        foreach (Seal? chosen in (Seal?[])[null, seal])
        {
            MemoryStore store = new();
            RunValues values = new(groups, format, StoreNames.In(address, chosen?.NameKey), new StoredRecords(store, chosen), shape);
            BlockWrite[][] chains = [.. Enumerable.Range(0, 33).Select(i => Chain($"{i}"))];
            StoredRun[] runs = [.. chains.Select(chain => RunEntry.RunOf(chain, 4))];
            foreach ((StoredRun run, BlockWrite[] chain) in runs.Zip(chains))
                values.Put(run, values.Values[0], chain, new byte[values.Bytes(run, values.Values[0])], TimeSpan.Zero);
            int attempts = 0;
            foreach ((StoredRun mine, BlockWrite[] chain) in runs.Zip(chains))
                foreach (StoredRun others in runs)
                {
                    byte[] copy = store.Copy(values.Names(others).Single());
                    ReadOutcome outcome = values.Open(mine, values.Values[0], 0, copy, out ReadOnlySpan<byte> value);
                    if (outcome == ReadOutcome.Ok)
                        outcome = format.Read(value, 0, Blocks, 1,
                            new LoadedBlock(chain[1].Key, chain[1].Parent, chain[1].Tokens, 0, _chains.Memory(0)));
                    Assert.Equal(mine == others, outcome == ReadOutcome.Ok);
                    attempts += mine == others ? 0 : 1;
                }
            Assert.InRange(attempts, 1000, int.MaxValue);
        }
    }
}
