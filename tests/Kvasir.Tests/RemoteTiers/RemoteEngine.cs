using Kvasir.Inference;
using Kvasir.KvCache;
using Kvasir.RemoteTiers;
using Kvasir.RemoteTiers.Settings;
using Kvasir.Tests.Reuse;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>An engine without a disk and with a store, as a machine of many is.</summary>
sealed class RemoteEngine : IDisposable
{
    const int Length = 203; // 12 blocks and 11 tokens

    readonly List<string> _log = [];

    public RemoteEngine(LanguageModel model, string address, string? password = null, byte[]? key = null, EngineOptions? options = null,
        TimeProvider? time = null)
    {
        RemoteTierOptions remote = new()
        {
            Address = RemoteAddress.Parse(address), Password = password, EncryptionKey = key, Log = Heard,
            ModelName = "saga", Time = time ?? TimeProvider.System,
        };
        Cached = new CachedEngine(model, (options ?? new EngineOptions { Context = 512 }) with
        {
            KvFurtherTiers = [(layout, fingerprint) => Tier = new RemoteTier(remote, layout, fingerprint)],
        });
    }

    public CachedEngine Cached { get; }

    public TieredKvCache Cache => Cached.Cache;

    public RemoteTier Tier { get; private set; } = null!;

    /// <summary>What the tier has said.</summary>
    public string[] Log
    {
        get
        {
            lock (_log)
                return [.. _log];
        }
    }

    /// <summary>A prompt of 12 blocks and 11 tokens.</summary>
    public static int[] Prompt(int kind = 1, int length = Length) =>
        [.. Enumerable.Range(0, length).Select(i => 260 + (i * 31 + kind * 97) % 700)];

    /// <summary>Computes prompts, and writes what is left of them.</summary>
    public RemoteEngine Filled(params int[][] prompts)
    {
        foreach (int[] prompt in prompts)
            Cached.Ask(prompt);
        Cached.Flush();
        return this;
    }

    /// <summary>Waits until the store is there.</summary>
    public RemoteEngine Connected()
    {
        Assert.True(SpinWait.SpinUntil(Answers, TimeSpan.FromSeconds(20)), Tier.Problem);
        return this;

        bool Answers()
        {
            try
            {
                return Tier.Unpin([]) == 0;
            }
            catch (IOException)
            {
                return false;
            }
        }
    }

    /// <summary>All of a prompt comes from the store, bit for bit, and nothing is wrong.</summary>
    public void AssertLoadsAll(LanguageModel model)
    {
        CachedEngine.Answer answer = Cached.Ask(Prompt());
        answer.AssertSameBits(Fresh(model, Prompt()), "from the store");
        Assert.Equal(Prompt().Length - 1, answer.Use.Remote); // the tail as well
        Assert.Equal(1, answer.Computed);
        Assert.Equal(13 * Cache.Layout.BlockBytes, answer.Use.RestoredBytes);
        Assert.Empty(Log);
        Assert.Null(Tier.Problem);
    }

    /// <summary>What a prompt gives without any tier.</summary>
    public static CachedEngine.Answer Fresh(LanguageModel model, int[] prompt)
    {
        using CachedEngine engine = new(model, new EngineOptions { Context = 512 });
        return engine.Ask(prompt);
    }

    public void Dispose() => Cached.Dispose();

    void Heard(string line)
    {
        lock (_log)
            _log.Add(line);
    }
}

/// <summary>A clock that is ahead of the others.</summary>
sealed class LaterClock(TimeSpan ahead) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + ahead;
}
