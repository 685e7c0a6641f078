using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kvasir.KvCache.Prefixes;

/// <summary>
/// Which block lies in which slot of one tier, found by key or by parent. Kept in one flat array, so that a million blocks cost a hundred
/// bytes each and no object: nothing is allocated except when the array grows. Not thread-safe.
/// </summary>
public sealed class SlotIndex
{
    const int None = -1;

    readonly Dictionary<BlockKey, int> _byKey = [];
    readonly Dictionary<BlockKey, int> _firstChild = []; // by the parent's key, which need not be in this tier
    Entry[] _entries = [];

    /// <summary>Blocks in the tier.</summary>
    public int Count => _byKey.Count;

    /// <summary>Makes room for so many blocks in slots below as much, so that adding them allocates nothing.</summary>
    public void EnsureCapacity(int slots)
    {
        _byKey.EnsureCapacity(slots);
        _firstChild.EnsureCapacity(slots);
        if (slots > _entries.Length)
            Array.Resize(ref _entries, Math.Max(slots, 2 * _entries.Length));
    }

    /// <summary>Says that a slot holds a block.</summary>
    /// <exception cref="ArgumentException">The key is there already: a block lies in one slot of a tier.</exception>
    public void Add(int slot, BlockKey key, BlockKey parent)
    {
        if (slot >= _entries.Length)
            Array.Resize(ref _entries, Math.Max(slot + 1, 2 * _entries.Length));
        _byKey.Add(key, slot);
        ref int first = ref CollectionsMarshal.GetValueRefOrAddDefault(_firstChild, parent, out bool hasChildren);
        int next = hasChildren ? first : None;
        _entries[slot] = new Entry(key, parent, None, next);
        if (next != None)
            _entries[next].Previous = slot;
        first = slot;
    }

    /// <summary>Forgets what a slot holds.</summary>
    public void Remove(int slot)
    {
        ref Entry entry = ref _entries[slot];
        if (!_byKey.Remove(entry.Key))
            throw new ArgumentException($"slot {slot} holds no block");
        if (entry.Next != None)
            _entries[entry.Next].Previous = entry.Previous;
        if (entry.Previous != None)
            _entries[entry.Previous].Next = entry.Next;
        else if (entry.Next != None)
            _firstChild[entry.Parent] = entry.Next;
        else
            _firstChild.Remove(entry.Parent);
    }

    /// <summary>The slot of a block.</summary>
    public bool TryFind(BlockKey key, out int slot) => _byKey.TryGetValue(key, out slot);

    /// <summary>The key of the block in a slot that holds one.</summary>
    public BlockKey Key(int slot) => _entries[slot].Key;

    /// <summary>The key of the block before the one in a slot.</summary>
    public BlockKey Parent(int slot) => _entries[slot].Parent;

    /// <summary>Whether a block is there that follows another, which need not be.</summary>
    public bool HasChildren(BlockKey parent) => _firstChild.ContainsKey(parent);

    /// <summary>Whether no other block is there that follows the same one.</summary>
    public bool IsOnlyChild(int slot) => _entries[slot] is { Previous: None, Next: None };

    /// <summary>The slots of the blocks that follow a block or a root, the latest added first.</summary>
    public ChildEnumerable Children(BlockKey parent) => new(this, _firstChild.GetValueOrDefault(parent, None));

    /// <summary>Slots of siblings, for <c>foreach</c>.</summary>
    public readonly struct ChildEnumerable(SlotIndex index, int first)
    {
        /// <summary>Begins.</summary>
        public ChildEnumerator GetEnumerator() => new(index, first);
    }

    /// <summary>Goes through slots of siblings. The index must not change meanwhile.</summary>
    public struct ChildEnumerator(SlotIndex index, int first)
    {
        int _next = first;

        /// <summary>The slot.</summary>
        public int Current { get; private set; } = None;

        /// <summary>Goes to the next, if there is one.</summary>
        public bool MoveNext()
        {
            Current = _next;
            if (Current == None)
                return false;
            _next = index._entries[Current].Next;
            return true;
        }
    }

    struct Entry(BlockKey key, BlockKey parent, int previous, int next)
    {
        public readonly BlockKey Key = key, Parent = parent;
        public int Previous = previous, Next = next; // siblings
    }
}
