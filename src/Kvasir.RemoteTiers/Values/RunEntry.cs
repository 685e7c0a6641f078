using System.Buffers.Binary;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.RemoteTiers.Values;

/// <summary>
/// Which blocks a run has, all but the last of them full. Little-endian:
/// <code>
///   0  magic "KVR1" (32 bits)                  24  fingerprint
///   4  tokens (32)                             56  the key of the block before the first, or the root
///   8  a bit for each block that is there (64) 88  tokens (32 each)
///  16  written, seconds since 1970 (64)            XxHash3 of all before (64)
/// </code>
/// </summary>
/// <param name="Blocks">All blocks of the run, those that are not there any more included.</param>
/// <param name="Present">A bit for each that is.</param>
sealed record RunEntry(IReadOnlyList<StoredBlock> Blocks, ulong Present)
{
    /// <summary>Most blocks of a run: one for each bit.</summary>
    public const int MostBlocks = 64;

    const uint Magic = 0x3152_564B; // "KVR1"
    const int TokenCountAt = 4, PresentAt = 8, WrittenAt = 16, FingerprintAt = 24, BeforeAt = 56, TokensAt = 88;

    /// <summary>The entry of a run of which all blocks are there.</summary>
    public static RunEntry Of(IReadOnlyList<StoredBlock> run) => new(run, ulong.MaxValue >> MostBlocks - run.Count);

    /// <summary>The run.</summary>
    public StoredRun Run => Blocks[0].Run;

    /// <summary>Those that are there.</summary>
    public IEnumerable<StoredBlock> There => Blocks.Where(block => (Present >> block.Index & 1) != 0);

    /// <summary>The run of consecutive blocks.</summary>
    public static StoredRun RunOf(ReadOnlySpan<BlockWrite> blocks, int blockTokens) => new(blocks[^1].Key, blocks.Length, blocks[0].Parent,
        blocks.Length == 1 || blocks[^1].Tokens.Length == blockTokens ? blocks[^1].Key : blocks[^1].Parent);

    public byte[] ToBytes(Fingerprint fingerprint)
    {
        int[] tokens = [.. Blocks.SelectMany(block => block.Tokens)];
        byte[] bytes = new byte[TokensAt + tokens.Length * sizeof(int) + sizeof(ulong)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(TokenCountAt), tokens.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(PresentAt), Present);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(WrittenAt), Blocks[0].Written.ToUnixTimeSeconds());
        fingerprint.Digest.CopyTo(bytes.AsSpan(FingerprintAt));
        Run.Before.Digest.CopyTo(bytes.AsSpan(BeforeAt));
        EntryBytes.WriteTokens(bytes.AsSpan(TokensAt), tokens);
        EntryBytes.Finish(bytes);
        return bytes;
    }

    /// <summary>Reads an entry, which may be anything; null when it is none of this model.</summary>
    public static RunEntry? Read(ReadOnlySpan<byte> bytes, Fingerprint fingerprint, int blockTokens)
    {
        if (bytes.Length <= TokensAt + sizeof(ulong) || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic)
            return null;
        int tokens = BinaryPrimitives.ReadInt32LittleEndian(bytes[TokenCountAt..]);
        if (tokens < 1 || tokens > (long)MostBlocks * blockTokens || bytes.Length != TokensAt + tokens * sizeof(int) + sizeof(ulong)
            || !EntryBytes.AreWhole(bytes) || new Digest(bytes.Slice(FingerprintAt, Digest.Size)) != fingerprint.Digest)
            return null;
        ulong present = BinaryPrimitives.ReadUInt64LittleEndian(bytes[PresentAt..]);
        return new RunEntry(Chain(EntryBytes.Key(bytes[BeforeAt..]), EntryBytes.Tokens(bytes[TokensAt..], tokens), blockTokens,
            EntryBytes.Time(bytes[WrittenAt..])), present);
    }

    static StoredBlock[] Chain(BlockKey before, int[] tokens, int blockTokens, DateTimeOffset written)
    {
        int[][] contents = [.. tokens.Chunk(blockTokens)];
        BlockKey[] keys = new BlockKey[contents.Length + 1];
        keys[0] = before;
        for (int i = 0; i < contents.Length; i++)
            keys[i + 1] = KeyChain.Next(keys[i], contents[i]);
        bool endsWithTail = contents.Length > 1 && contents[^1].Length < blockTokens;
        StoredRun run = new(keys[^1], contents.Length, before, keys[endsWithTail ? ^2 : ^1]);
        return [.. contents.Select((content, i) => new StoredBlock(keys[i], content, run, i, written))];
    }
}
