#pragma warning disable
using Kvasir.KvCache.Prefixes;
namespace Kvasir.KvCache.Tiers.Disk;
public enum ReadOutcome { Ok, Gone }
public sealed record DiskTierOptions { }
public readonly record struct BlockWrite(BlockKey Key, BlockKey Parent, int[] Tokens, nint Payload);
public sealed unsafe class DiskTier : IDisposable {
  public static DiskTier Open(DiskTierOptions o, KvLayout layout, Fingerprint f, string m) => throw new NotSupportedException();
  public bool CanWrite => true; public Fingerprint Fingerprint => default;
  public void Refresh() {} public bool TryFind(BlockKey k, out int slot) => throw new NotSupportedException();
  public SlotIndex.ChildEnumerable Children(BlockKey p) => default; public int[]? Tokens(int slot)=>null; public BlockKey Key(int slot)=>default;
  public ReadOutcome Read(int slot, BlockKey key, BlockKey parent, ReadOnlySpan<int> tokens, int group, byte* destination) => default;
  public int Write(ReadOnlySpan<BlockWrite> w) => 0; public void Use(ReadOnlySpan<BlockKey> d) {} public void Discard(int slot, BlockKey k, ReadOutcome o) {}
  public bool TryGetEvicted(BlockKey k, out DateTimeOffset w) { w = default; return false; }
  public IReadOnlyList<(BlockKey, Fingerprint, string)> Roots() => []; public bool IsOnDisk(BlockKey k) => false;
  public void Dispose() {}
}
