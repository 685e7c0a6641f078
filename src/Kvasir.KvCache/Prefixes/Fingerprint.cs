namespace Kvasir.KvCache.Prefixes;

/// <summary>
/// What changes a bit of a key or value besides tokens: the model's weights and adapters, its tokenizer, geometry and rotary
/// settings, the codec, the block size, the layout and the version of the arithmetic. Made from contents with a
/// <see cref="FieldHasher"/>, never from a file's name.
/// </summary>
/// <param name="Digest">The digest of all that.</param>
public readonly record struct Fingerprint(Digest Digest)
{
    /// <summary>That of the layers with windows, where they have blocks of their own.</summary>
    internal Fingerprint OfWindows()
    {
        using var hasher = new FieldHasher();
        return new Fingerprint(hasher.Add("windows").Add(Digest).Finish());
    }

    /// <summary>The fingerprint as 64 hexadecimal digits.</summary>
    public override string ToString() => Digest.ToString();
}
