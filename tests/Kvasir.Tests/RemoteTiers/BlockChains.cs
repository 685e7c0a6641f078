using System.Runtime.InteropServices;
using System.Text;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>Blocks that nobody computed, of four tokens each and with memory of their own.</summary>
sealed unsafe class BlockChains(KvLayout layout) : IDisposable
{
    readonly List<nint> _memory = [];

    public static Fingerprint Model(string name)
    {
        using FieldHasher hasher = new();
        return new Fingerprint(hasher.Add(name).Finish());
    }

    /// <summary>So many blocks in a row, the last not full.</summary>
    public BlockWrite[] Chain(Fingerprint model, string salt, int count)
    {
        BlockKey parent = KeyChain.Root(model, Encoding.UTF8.GetBytes(salt));
        List<BlockWrite> blocks = [];
        for (int i = 0; i < count; i++)
        {
            int[] tokens = [.. Enumerable.Range(10 * i, i == count - 1 ? 2 : 4)];
            BlockKey key = KeyChain.Next(parent, tokens);
            blocks.Add(new BlockWrite(key, parent, tokens, (nint)Memory((byte)(i + 1))));
            parent = key;
        }
        return [.. blocks];
    }

    /// <summary>Memory of a block.</summary>
    public byte* Memory(byte fill)
    {
        void* memory = NativeMemory.Alloc((nuint)layout.StrideBytes);
        _memory.Add((nint)memory);
        new Span<byte>(memory, (int)layout.StrideBytes).Fill(fill);
        return (byte*)memory;
    }

    public void Dispose() => _memory.ForEach(memory => NativeMemory.Free((void*)memory));
}
