namespace Kvasir.KvCache.Blocks;

/// <summary>What the books say of one block.</summary>
struct BlockSlot
{
    public BlockState State;
    public int Leases; // of a registered or void block
    public int Readers; // of the leases: those that are no use
    public int TokenCount; // of a registered block: fewer than a block holds for a tail
    public bool HasFailed; // of a void block: its content will not come
    public BlockLoad? Load; // while a registered block's content is on its way
}
