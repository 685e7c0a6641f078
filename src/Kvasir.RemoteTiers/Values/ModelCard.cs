using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.RemoteTiers.Values;

/// <summary>
/// What a store says of a model whose blocks it has, as JSON, so that whoever looks into the store needs no model: its name, and where the
/// groups of layers lie in a block. It may be anything, as all that comes out of a store.
/// </summary>
/// <param name="Fingerprint">The model's digits.</param>
/// <param name="Name">What it is called.</param>
/// <param name="BlockTokens">Tokens that a block holds.</param>
/// <param name="Groups">Its groups of layers.</param>
sealed record ModelCard(string Fingerprint, string Name, int BlockTokens, LayerGroup[] Groups)
{
    /// <summary>How long a card lives: as long as anything that could be pinned.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromDays(365);

    const int MostTokens = 1 << 16, MostGroups = 1 << 12;
    const long MostBytes = 1L << 34;

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, ModelCardJson.Default.ModelCard);

    /// <summary>Reads a card; null when it is none that makes sense.</summary>
    public static ModelCard? Read(ArraySegment<byte>? bytes)
    {
        try
        {
            ModelCard? card = bytes is { } json ? JsonSerializer.Deserialize(json, ModelCardJson.Default.ModelCard) : null;
            return card is { Name.Length: <= 256, BlockTokens: > 0 and <= MostTokens, Groups.Length: > 0 and <= MostGroups }
                && card.Fingerprint is { Length: 2 * Digest.Size } digits && digits.All(char.IsAsciiHexDigit) && card.HasShape()
                ? card : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The model.</summary>
    public Fingerprint Model() => new(new Digest(Convert.FromHexString(Fingerprint)));

    bool HasShape()
    {
        long end = 0;
        foreach (LayerGroup group in Groups)
        {
            if (group.Offset != end || group.Bytes is < 1 or > int.MaxValue || (end += group.Bytes) > MostBytes)
                return false;
        }
        return true;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ModelCard))]
sealed partial class ModelCardJson : JsonSerializerContext;
