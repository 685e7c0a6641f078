using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Blocks;

/// <summary>
/// A right to one block of a tier in memory. The three kinds are the stages of a block's life, and each can be used once: completing or
/// registering hands the right on and leaves the old handle spent.
/// <code>
/// TryAllocate ─▶ MutableBlock ─Complete─▶ CompleteBlock ─Register─▶ BlockLease ─Share─▶ BlockLease …
///      ▲              │ Dispose                │ Dispose                │ last Dispose
///      └── free ◀─────┴────────────────────────┘                        ▼
///           ▲                                                 cached, found again by TryFind
///           └───────────────────────── evicted ────────────────────────┘
/// </code>
/// A handle belongs to one thread at a time.
/// </summary>
public abstract class BlockHandle : IDisposable
{
    private protected BlockHandle(BlockBooks books, BlockId id) => (Books, Id) = (books, id);

    /// <summary>Which block of the pool this is.</summary>
    public BlockId Id { get; }

    /// <summary>Whether the right was handed on or given back.</summary>
    public bool IsSpent { get; private set; }

    private protected BlockBooks Books { get; }

    /// <summary>Whether it is a block of some books.</summary>
    internal bool IsOf(BlockBooks? books) => Books == books;

    /// <summary>Gives the right back. Further calls do nothing.</summary>
    public void Dispose()
    {
        if (!IsSpent)
        {
            IsSpent = true;
            Release();
        }
        GC.SuppressFinalize(this);
    }

    private protected abstract void Release();

    private protected void Spend()
    {
        ThrowIfSpent();
        IsSpent = true;
    }

    internal void ThrowIfSpent() => ObjectDisposedException.ThrowIf(IsSpent, this);
}

/// <summary>A block that its one owner writes. Disposing it frees the block.</summary>
public sealed class MutableBlock : BlockHandle
{
    internal MutableBlock(BlockBooks books, BlockId id) : base(books, id) { }

    /// <summary>Ends writing: every token of the block is there.</summary>
    public CompleteBlock Complete()
    {
        Spend();
        return Books.Complete(Id);
    }

    /// <summary>
    /// Makes the block known under its key before its content has come, so that whoever wants the same waits for the same load. If the pool
    /// holds a block of this key already, that one is leased and this one is freed.
    /// </summary>
    internal BlockLease Announce(BlockKey key, BlockKey parent, ReadOnlySpan<int> tokens, BlockLoad load)
    {
        Spend();
        return Books.Register(Id, BlockState.Mutable, key, parent, tokens, load);
    }

    private protected override void Release() => Books.Free(Id, BlockState.Mutable);
}

/// <summary>A block that is written in full and not yet known under a key. Disposing it frees the block.</summary>
public sealed class CompleteBlock : BlockHandle
{
    internal CompleteBlock(BlockBooks books, BlockId id) : base(books, id) { }

    /// <summary>
    /// Makes the block immutable and known under its key. If the pool holds a block of this key already, that one is leased and this one
    /// is freed: the same tokens are never kept twice.
    /// </summary>
    /// <param name="key">The block's key.</param>
    /// <param name="parent">The key of the block before it, or the root.</param>
    /// <param name="tokens">Its tokens; fewer than a block holds for a tail.</param>
    public BlockLease Register(BlockKey key, BlockKey parent, ReadOnlySpan<int> tokens)
    {
        Spend();
        return Books.Register(Id, BlockState.Complete, key, parent, tokens);
    }

    private protected override void Release() => Books.Free(Id, BlockState.Complete);
}

/// <summary>
/// A counted right to read a registered block, which cannot be evicted while any lease of it lives. When the last one goes, the block stays
/// in the pool as cached until its memory is wanted.
/// </summary>
public sealed class BlockLease : BlockHandle
{
    internal BlockLease(BlockBooks books, BlockId id, BlockKey key) : base(books, id) => Key = key;

    /// <summary>The block's identity.</summary>
    public BlockKey Key { get; }

    /// <summary>The key of the block before it, or the root.</summary>
    public BlockKey Parent => Books.Parent(Id);

    /// <summary>The block's tokens.</summary>
    public ReadOnlySpan<int> Tokens => Books.TokensOf(Id);

    /// <summary>What brings the block's content, while it is not there yet.</summary>
    internal BlockLoad? Load => Books.LoadOf(Id);

    /// <summary>Whether the block's content will not come.</summary>
    internal bool HasFailed => Books.HasFailed(Id);

    /// <summary>Another lease of the same block.</summary>
    public BlockLease Share()
    {
        ThrowIfSpent();
        return Books.Share(Id, Key);
    }

    /// <summary>The block's content has come.</summary>
    internal void EndLoad() => Books.EndLoad(Id);

    /// <summary>The block's content will not come.</summary>
    internal void MakeVoid() => Books.MakeVoid(Id);

    /// <summary>Whether having it counts as a use of the block.</summary>
    internal bool IsUse { get; set; } = true;

    private protected override void Release() => Books.Return(Id, IsUse);
}

/// <summary>No block: stands where a sequence has none, or none any more.</summary>
sealed class AbsentBlock : BlockHandle
{
    AbsentBlock() : base(null!, default) { }

    public static AbsentBlock Instance { get; } = new();

    private protected override void Release() { }
}
