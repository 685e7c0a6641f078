using Kvasir.KvCache.Eviction;
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
        for (int slot = 0; slot < Slots; slot++)
            policy.Add(slot, NumberedKey.Of(slot));
        Turn(20 * Slots);
        Assert.Equal(0, Allocations.Of(() => Turn(Slots)));

        void Turn(int times)
        {
            for (int i = 0; i < times; i++)
            {
                int slot = policy.Evict();
                policy.Add(slot, NumberedKey.Of(slot));
                policy.Use(i * 7 % Slots);
                policy.Hold(slot);
                policy.Release(slot, wasUsed: true);
            }
        }
    }
}
