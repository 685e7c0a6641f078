using CsCheck;
using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Tests.KvCache.Eviction;

/// <summary>What every policy promises, whatever a tier does with it.</summary>
public class EvictionPolicyTests
{
    static readonly Gen<(int, int, int)[]> s_steps = Gen.Select(Gen.Int[0, 6], Gen.Int[0, EvictionModel.Slots - 1],
        Gen.Int[0, EvictionModel.Keys - 1]).Array[0, 120];

    static readonly Dictionary<string, Func<IEvictionPolicy>> s_policies = new()
    {
        ["lru"] = () => new LeafFirstLru(),
        ["s3-fifo"] = () => new S3Fifo(),
        ["s3-fifo, nearly all in main"] = () => new S3Fifo(0.01),
        ["s3-fifo, nearly all in small"] = () => new S3Fifo(0.99),
        ["hit-density"] = () => new HitDensity(),
    };

    public static TheoryData<string> Policies => [.. s_policies.Keys];

    internal static IEvictionPolicy New(string policy) => s_policies[policy]();

    [Theory, MemberData(nameof(Policies))]
    public void Held_blocks_stay_and_all_others_go_exactly_once(string name) => s_steps.Sample(steps =>
    {
        var model = new EvictionModel(s_policies[name]());
        foreach ((int, int, int) step in steps)
            model.Step(step);
        model.Drain();
    }, iter: 5000);

    [Fact]
    public void Lru_evicts_in_the_order_of_last_use() => s_steps.Sample(steps =>
    {
        var model = new EvictionModel(new LeafFirstLru());
        foreach ((int Kind, int, int) step in steps)
        {
            int oldest = model.Evictable.FirstOrDefault(-1);
            if (step.Kind == 6)
                Assert.Equal(oldest, model.Evict());
            else
                model.Step(step);
        }
        while (model.Evictable.ToArray() is [int next, ..])
            Assert.Equal(next, model.Evict());
    }, iter: 5000);

    /// <summary>Against a model in lists that says what S3-FIFO is: without held blocks, whose order is only for us to choose.</summary>
    [Fact]
    public void S3_fifo_evicts_what_its_model_does() => s_steps.Select(Gen.Double[0.05, 0.95]).Sample((steps, share) =>
    {
        var policy = new S3Fifo(share);
        var model = new ListedS3Fifo(share);
        foreach ((int kind, int slot, int key) in steps)
            switch (kind)
            {
                case <= 2 when !model.Holds(slot): policy.Add(slot, NumberedKey.Of(key)); model.Add(slot, key); break;
                case <= 4 when model.Holds(slot): policy.Use(slot); model.Use(slot); break;
                case 5 when model.Holds(slot): policy.Remove(slot); model.Remove(slot); break;
                case 6: Assert.Equal(model.Evict(), policy.Evict()); break;
            }
        for (int expected = model.Evict(); expected != -1; expected = model.Evict())
            Assert.Equal(expected, policy.Evict());
    }, iter: 5000);

    [Theory, MemberData(nameof(Policies))]
    public void Of_a_chain_the_leaf_goes_first(string name)
    {
        IEvictionPolicy policy = s_policies[name]();
        SlotIndex blocks = new();
        policy.Attach(blocks);
        for (int depth = 4; depth >= 0; depth--)
        {
            blocks.Add(depth, NumberedKey.Of(depth), NumberedKey.Of(depth - 1));
            policy.Add(depth, NumberedKey.Of(depth));
        }
        for (int depth = 4; depth >= 0; depth--)
        {
            Assert.Equal(depth, policy.Evict());
            blocks.Remove(depth);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(double.NaN)]
    public void A_queue_that_is_all_or_nothing_is_refused(double share) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new S3Fifo(share));

    /// <summary>Ties a loop otherwise: the books of a tier are wrong, and it should hear so at once.</summary>
    [Fact]
    public void A_block_added_twice_or_held_without_being_there_is_refused()
    {
        var policy = new LeafFirstLru();
        policy.Add(3, NumberedKey.Of(3));
        Assert.Throws<ArgumentException>(() => policy.Add(3, NumberedKey.Of(3)));
        Assert.Throws<ArgumentException>(() => policy.Hold(2));
        Assert.Throws<ArgumentException>(() => policy.Hold(1000));
    }
}
