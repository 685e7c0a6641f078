using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Prefixes;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.KvCache.Eviction;

/// <summary>Policies answer under the pool's lock, at each block: they leave nothing for the garbage collector.</summary>
[Collection(nameof(Allocations))]
public class EvictionAllocationTests
{
    const int Slots = 500;

    public static TheoryData<string> Policies => EvictionPolicyTests.Policies;

    [Theory, MemberData(nameof(Policies))]
    public void Nothing_is_allocated_once_the_arrays_have_grown(string name)
    {
        IEvictionPolicy policy = EvictionPolicyTests.New(name);
        SlotIndex blocks = new();
        blocks.EnsureCapacity(Slots);
        policy.Attach(blocks);
        for (int slot = 0; slot < Slots; slot++)
            Add(slot);
        Turn(20 * Slots);
        Assert.Equal(0, Allocations.Of(() => Turn(Slots)));

        void Add(int slot)
        {
            blocks.Add(slot, NumberedKey.Of(slot), NumberedKey.Of(slot - 1));
            policy.Add(slot, NumberedKey.Of(slot));
        }

        void Turn(int times)
        {
            for (int i = 0; i < times; i++)
            {
                int slot = policy.Evict();
                blocks.Remove(slot);
                Add(slot);
                policy.Use(i * 7 % Slots);
                policy.Hold(slot);
                policy.Release(slot, wasUsed: true);
            }
        }
    }
}
