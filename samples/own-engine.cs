#:project ../src/Kvasir.KvCache/Kvasir.KvCache.csproj
#:property PublishAot=false
#:property AllowUnsafeBlocks=true

// The cache with an engine of somebody else's. This one has two layers of one head, and its only arithmetic is that a token's key and
// value follow from the token and from what it attends to: all keys and values before it. So it sees at once if the cache gives it
// anything but what it would have computed.
using Kvasir.KvCache;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;

const int Layers = 2, Width = 8;
KvLayout layout = new(blockTokens: 16, F32Codec.Instance,
    Enumerable.Range(0, Layers).Select(layer => new KvLayer(new LayerState.Full(), KvHeads: 1, Width, Width, layer)));

// What makes keys and values besides tokens: for a real engine its weights, numerics and layout.
using FieldHasher hasher = new();
hasher.Add("toy engine, version 1");
Fingerprint fingerprint = new(hasher.Finish());

string folder = Directory.CreateTempSubdirectory("own-engine").FullName;
int[] system = [.. Enumerable.Range(100, 200)];
try
{
    using (TieredKvCache cache = Open())
    {
        Console.WriteLine($"first question:  {Ask(cache, [.. system, 1, 2, 3])}");
        Console.WriteLine($"second question: {Ask(cache, [.. system, 4, 5, 6])}");
    }
    using TieredKvCache later = Open(); // another process, as far as the cache knows
    Console.WriteLine($"after a restart: {Ask(later, [.. system, 7, 8, 9])}");
    using TieredKvCache empty = new(layout, fingerprint, new KvCacheOptions { DeviceBlocks = 64 });
    Console.WriteLine($"without tiers:   {Ask(empty, [.. system, 7, 8, 9])}");
}
finally
{
    Directory.Delete(folder, recursive: true);
}

TieredKvCache Open() => new(layout, fingerprint, new KvCacheOptions
{
    DeviceBlocks = 64, HostBytes = 1 << 20, Disk = new DiskTierOptions { Folder = folder, MaxBytes = 16 << 20, KeepFreeBytes = 0 },
});

static string Ask(TieredKvCache cache, int[] tokens)
{
    using CachedSequence sequence = cache.NewSequence();
    sequence.BeginRequest(tokens.Length);
    sequence.Match(tokens); // brings in what any tier has
    int computed = 0;
    float logit = 0;
    for (int position = sequence.Table.NextMissing(0); position < tokens.Length; position = sequence.Table.NextMissing(position))
    {
        if (!sequence.TryReserve(position + 1))
            throw new InvalidOperationException("the pool is too small");
        if (!TryForward(sequence, tokens, position, out logit))
            continue; // something did not come from its tier: there is a new hole
        sequence.Fill(tokens, position, position + 1); // full blocks belong to the cache now
        computed++;
    }
    sequence.EndRequest(); // the disk may have them
    string use = $"{sequence.Use.Reused} of {tokens.Length} tokens from the cache, {computed} computed, logit {logit:0.000000}";
    sequence.Clear(tokens); // leaves the last block, too, though it is not full
    return use;
}

static unsafe bool TryForward(CachedSequence sequence, int[] tokens, int position, out float logit)
{
    KvLayout layout = sequence.Table.Layout;
    logit = tokens[position] % 17;
    for (int layer = 0; layer < Layers; layer++)
    {
        if (!sequence.WaitForLayer(layer)) // blocks come layer by layer
            return false;
        for (int earlier = 0; earlier < position; earlier++)
            logit += Row(layer, earlier, isKey: true)[0] * Row(layer, earlier, isKey: false)[1] / (position - earlier + 1);
        logit = MathF.Sin(logit);
        for (int i = 0; i < Width; i++)
            (Row(layer, position, isKey: true)[i], Row(layer, position, isKey: false)[i]) =
                (MathF.Cos(logit + i), MathF.Sin(logit * (i + 1)));
    }
    return true;

    float* Row(int layer, int at, bool isKey) => (float*)(sequence.Table.Address(at / layout.BlockTokens)
        + (isKey ? layout.KeyOffset(layer, 0) : layout.ValueOffset(layer, 0)) + (long)(at % layout.BlockTokens) * Width * sizeof(float));
}
