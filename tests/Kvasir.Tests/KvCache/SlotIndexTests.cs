using System.Buffers.Binary;
using CsCheck;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Tests.KvCache;

public class SlotIndexTests
{
    static BlockKey Key(int name)
    {
        byte[] bytes = new byte[Digest.Size];
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(name % 3 * 4), name + 1); // equal hash codes, too
        return new BlockKey(new Digest(bytes));
    }

    /// <summary>Random additions and removals against dictionaries.</summary>
    [Fact]
    public void The_index_behaves_like_a_dictionary_of_keys_and_one_of_children() =>
        Gen.Select(Gen.Int[0, 15], Gen.Int[0, 30], Gen.Int[0, 5]).Array[0, 150].Sample(steps =>
        {
            var index = new SlotIndex();
            Dictionary<int, (int Name, int Parent)> slots = [];
            List<int> order = []; // the latest last
            foreach ((int slot, int name, int parent) in steps)
            {
                if (slots.Remove(slot))
                {
                    index.Remove(slot);
                    order.Remove(slot);
                }
                else if (!slots.Values.Any(held => held.Name == name))
                {
                    index.Add(slot, Key(name), Key(100 + parent));
                    slots.Add(slot, (name, parent));
                    order.Add(slot);
                }
                Assert.Equal(slots.Count, index.Count);
                for (int n = 0; n <= 30; n++)
                    Assert.Equal(slots.Where(held => held.Value.Name == n).Select(held => held.Key).DefaultIfEmpty(-1).Single(),
                        index.TryFind(Key(n), out int found) ? found : -1);
                for (int p = 0; p <= 5; p++)
                {
                    List<int> children = [];
                    foreach (int child in index.Children(Key(100 + p)))
                        children.Add(child);
                    Assert.Equal(order.Where(held => slots[held].Parent == p).Reverse(), children);
                }
            }
        });

    [Fact]
    public void A_key_lies_in_one_slot_only()
    {
        var index = new SlotIndex();
        index.Add(0, Key(1), default);
        Assert.Throws<ArgumentException>(() => index.Add(1, Key(1), default));
    }
}
