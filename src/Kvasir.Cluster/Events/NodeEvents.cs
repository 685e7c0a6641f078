using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;

namespace Kvasir.Cluster.Events;

/// <summary>What a node tells routers, as server-sent events.</summary>
static class NodeEvents
{
    /// <summary>Routers and nodes of another do not understand each other.</summary>
    public const int Version = 1;

    /// <summary>Where a node tells it.</summary>
    public const string Path = "/v1/cluster/events";

    /// <summary>Events by their names: the first, and those that change what is known.</summary>
    public const string Hello = "hello", Snapshot = "snapshot", Added = "added", Removed = "removed", Load = "load";

    /// <summary>A node is never silent for longer, and says what changed at most so often.</summary>
    public static readonly TimeSpan LongestSilence = TimeSpan.FromMilliseconds(500), ShortestPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Hashes as an event has them: Base64 of eight bytes each, little-endian.</summary>
    public static string TextOf(ReadOnlySpan<ulong> hashes)
    {
        if (BitConverter.IsLittleEndian)
            return Convert.ToBase64String(MemoryMarshal.AsBytes(hashes));
        ulong[] swapped = new ulong[hashes.Length];
        BinaryPrimitives.ReverseEndianness(hashes, swapped);
        return Convert.ToBase64String(MemoryMarshal.AsBytes<ulong>(swapped));
    }

    /// <summary>The hashes of an event.</summary>
    /// <exception cref="FormatException">It is no Base64, or not of whole hashes.</exception>
    public static ulong[] HashesOf(string text)
    {
        ReadOnlySpan<byte> bytes = Convert.FromBase64String(text);
        if (bytes.Length % sizeof(ulong) != 0)
            throw new FormatException($"hashes of {bytes.Length} bytes, expected a multiple of {sizeof(ulong)}");
        ulong[] hashes = new ulong[bytes.Length / sizeof(ulong)];
        for (int i = 0; i < hashes.Length; i++)
            hashes[i] = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(i * sizeof(ulong))..]);
        return hashes;
    }
}

/// <summary>Who tells: the first event of a connection.</summary>
/// <param name="Version"><see cref="NodeEvents.Version"/>.</param>
/// <param name="Node">The node's name.</param>
/// <param name="Incarnation">Another one for each start of the process: what was known of an earlier one is void.</param>
/// <param name="Model">The name under which it serves its model.</param>
/// <param name="Fingerprint">What determines its keys and values.</param>
/// <param name="Role"><c>prefill</c>, <c>decode</c> or <c>both</c>.</param>
sealed record NodeHello(int Version, string Node, string Incarnation, string Model, string Fingerprint, string Role);

/// <summary>
/// A change: with <c>snapshot</c> what the node has, all or the first of it; with <c>added</c> what it has besides; with <c>removed</c>
/// what it has no more.
/// </summary>
/// <param name="Sequence">One more than that of the change before; who sees another has missed something, and asks again.</param>
/// <param name="Hashes"><see cref="NodeEvents.TextOf"/>.</param>
sealed record NodeChange(long Sequence, string Hashes);

/// <summary>What the node has to do.</summary>
sealed record NodeWork(int Running, int Waiting, long QueuedTokens, double PrefillTokensPerS);

/// <summary>The events as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(NodeHello))]
[JsonSerializable(typeof(NodeChange))]
[JsonSerializable(typeof(NodeWork))]
sealed partial class NodeEventsJson : JsonSerializerContext;
