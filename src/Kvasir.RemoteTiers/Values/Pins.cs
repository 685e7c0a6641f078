using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.RemoteTiers.Values;

/// <summary>Who keeps a block, and until when: a JSON object of owners and seconds since 1970.</summary>
sealed class Pins
{
    readonly Dictionary<string, long> _owners;

    Pins(Dictionary<string, long> owners) => _owners = owners;

    /// <summary>Nobody.</summary>
    public static Pins None { get; } = new([]);

    /// <summary>Owners.</summary>
    public int Count => _owners.Count;

    /// <summary>Reads what may be anything.</summary>
    public static Pins Read(ArraySegment<byte>? bytes)
    {
        try
        {
            return bytes is { } json && JsonSerializer.Deserialize<Dictionary<string, long>>(json) is { } owners ? new Pins(owners) : None;
        }
        catch (JsonException)
        {
            return None;
        }
    }

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(_owners);

    /// <summary>Until when somebody keeps it; null when nobody does any more.</summary>
    public DateTimeOffset? Until(DateTimeOffset now)
    {
        long until = _owners.Values.DefaultIfEmpty().Max();
        return until > now.ToUnixTimeSeconds() ? DateTimeOffset.FromUnixTimeSeconds(Math.Min(until, MostSeconds)) : null;
    }

    /// <summary>One of those who keep it, the first by name; null when nobody does any more.</summary>
    public string? Owner(DateTimeOffset now) =>
        _owners.Where(pair => pair.Value > now.ToUnixTimeSeconds()).Select(pair => pair.Key).Order(StringComparer.Ordinal).FirstOrDefault();

    public Pins With(string owner, DateTimeOffset until) => new(new(_owners) { [owner] = until.ToUnixTimeSeconds() });

    public Pins Without(string owner) => new(_owners.Where(pair => pair.Key != owner).ToDictionary());

    /// <summary>The last second that there is in .NET.</summary>
    internal const long MostSeconds = 253_402_300_799;
}

/// <summary>What an owner keeps: seconds since 1970 (64 bits, little-endian) of the latest pin, and the keys.</summary>
sealed record PinnedKeys(BlockKey[] Keys, DateTimeOffset Until)
{
    /// <summary>Reads what may be anything.</summary>
    public static PinnedKeys Read(ArraySegment<byte>? bytes)
    {
        if (bytes is not { } list || list.Count < sizeof(long) || (list.Count - sizeof(long)) % Digest.Size != 0)
            return new PinnedKeys([], DateTimeOffset.UnixEpoch);
        long until = Math.Clamp(BinaryPrimitives.ReadInt64LittleEndian(list), 0, Pins.MostSeconds);
        return new PinnedKeys([.. list[sizeof(long)..].Chunk(Digest.Size).Select(key => new BlockKey(new Digest(key)))],
            DateTimeOffset.FromUnixTimeSeconds(until));
    }

    /// <summary>These and others, until the later of both times.</summary>
    public PinnedKeys With(IEnumerable<BlockKey> keys, DateTimeOffset until, DateTimeOffset now) =>
        new([.. (Until > now ? Keys : []).Union(keys)], until > Until ? until : Until);

    public byte[] ToBytes()
    {
        byte[] bytes = new byte[sizeof(long) + Keys.Length * Digest.Size];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, Until.ToUnixTimeSeconds());
        for (int i = 0; i < Keys.Length; i++)
            Keys[i].Digest.CopyTo(bytes.AsSpan(sizeof(long) + i * Digest.Size));
        return bytes;
    }
}
