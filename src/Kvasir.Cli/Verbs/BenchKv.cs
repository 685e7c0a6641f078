using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Measurement;
using Kvasir.Inference.Measurement.Speed;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.RemoteTiers;
using Kvasir.RemoteTiers.Settings;

namespace Kvasir.Cli.Verbs;

/// <summary>
/// What <c>bench kv</c> measures: restoring, finding, writing and missing keys and values, each beside its limit. The disk is measured in
/// the same run, in the same directory.
/// </summary>
sealed class BenchKv(LanguageModel model, int tokens, int threads, int runs, string folder, CancellationToken cancellation)
{
    const int DecodeTokens = 64, Lookups = 200, LeastRestores = 15;

    readonly List<KvBenchRow> _rows = [];
    double _coldSeconds;

    /// <summary>A store to measure too; null for none.</summary>
    public RemoteTierOptions? Store { get; init; }

    /// <summary>How keys and values are stored.</summary>
    public EngineOptions Stores { get; init; } = new();

    /// <summary>The same in words, once it has run.</summary>
    public string KvType { get; private set; } = "";

    public IReadOnlyList<KvBenchRow> Run()
    {
        int[] prompt;
        using (InferenceEngine engine = NewEngine(KvReuse.On))
        {
            KvType = engine.Layout.CodecName;
            var speed = new KvSpeed(engine);
            prompt = speed.Prompt(tokens, 1);
            Cold(speed);
            speed.Ask(prompt, cancellation);
            Host(speed, prompt);
            Disk(speed, prompt);
            Finding(speed, prompt);
            Lost(speed, prompt);
            Writing(speed);
        }
        NewProcess(prompt);
        if (Store is { } store)
            Remote(store, prompt);
        return _rows;
    }

    InferenceEngine NewEngine(KvReuse reuse) => new(model, NewOptions(reuse));

    EngineOptions NewOptions(KvReuse reuse) => Stores with
    {
        Context = tokens + DecodeTokens + 16,
        Threads = threads,
        Sequences = 2,
        KvReuse = reuse,
        KvHostBytes = 1L << 30,
        KvDisk = new DiskTierOptions { Folder = folder, MaxBytes = 4L << 30 },
    };

    /// <summary>Prompts that nobody has seen, with the cache and without, in turns.</summary>
    void Cold(KvSpeed cached)
    {
        using InferenceEngine without = NewEngine(KvReuse.WithinSequence);
        var plain = new KvSpeed(without);
        plain.Ask(plain.Prompt(tokens, 90), cancellation);
        plain.TouchMemory();
        cached.TouchMemory();
        cached.Ask(cached.Prompt(tokens, 91), cancellation);
        double[] with = new double[runs], alone = new double[runs];
        for (int run = 0; run < runs; run++)
        {
            cached.Flush(); // what the last one left is written while nobody is timed
            alone[run] = plain.Ask(plain.Prompt(tokens, 100 + run), cancellation).Seconds;
            with[run] = cached.Ask(cached.Prompt(tokens, 100 + run), cancellation).Seconds;
            Terminal.Line(
                $"cold prompt of {tokens:N0}, {run + 1} of {runs}: {with[run]:0.000} s with the cache, {alone[run]:0.000} s without");
        }
        _coldSeconds = Percentile.Median(with);
        Add("TTFT cold", _coldSeconds, "s");
        Add("overhead when nothing hits", Percentile.Median(with) / Percentile.Median(alone) - 1, "of TTFT", 0.02, "at most");
    }

    void Host(KvSpeed speed, int[] prompt)
    {
        using var limits = new PassingLimits(threads);
        Rate("restore from host", prompt, () => speed.Drop(prompt, host: false), limits.Copy, speed, use => use.Host, "memory copy", 0.8);
        double[] seconds = new double[LeastRestores];
        for (int run = 0; run < seconds.Length; run++)
        {
            speed.Drop(prompt, host: false);
            KvRequest request = speed.Ask(prompt, cancellation);
            Expect(request.Use.Host, "from host");
            seconds[run] = request.Seconds;
        }
        Add("TTFT from host", Percentile.Median(seconds), "s");
        Add("TTFT cold / from host", _coldSeconds / Percentile.Median(seconds), "×", 60, "at least");
    }

    void Disk(KvSpeed speed, int[] prompt)
    {
        speed.Flush();
        string file = Directory.GetFiles(folder, "blocks-*.kv")[0];
        Rate("restore from disk", prompt, () => speed.Drop(prompt, host: true), () => PassingLimits.Read(file, new FileInfo(file).Length),
            speed, use => use.Disk, "direct read, 4 MiB requests", 0.85);
    }

    void NewProcess(int[] prompt)
    {
        double[] seconds = new double[runs];
        for (int run = 0; run < runs; run++)
        {
            using InferenceEngine engine = NewEngine(KvReuse.On);
            KvRequest request = new KvSpeed(engine).Ask(prompt, cancellation);
            Expect(request.Use.Disk, "from disk in a new engine");
            seconds[run] = request.Seconds;
        }
        Add("TTFT from disk, new engine", Percentile.Median(seconds), "s");
        Add("TTFT cold / from disk, new engine", _coldSeconds / Percentile.Median(seconds), "×", 30, "at least");
    }

    /// <summary>A machine without a disk: all that it has is in a store.</summary>
    void Remote(RemoteTierOptions store, int[] prompt)
    {
        RemoteTier? tier = null;
        using InferenceEngine engine = new(model, NewOptions(KvReuse.On) with
        {
            KvHostBytes = 0,
            KvDisk = null,
            KvFurtherTiers = [(layout, fingerprint) => tier = new RemoteTier(store, layout, fingerprint)],
        });
        var speed = new KvSpeed(engine);
        speed.Ask(prompt, cancellation);
        speed.Flush();
        BlockKey[] keys = [.. engine.Cache.Keys(prompt).Take(tokens / engine.Layout.BlockTokens)];
        Rate("restore from store", prompt, () => speed.Drop(prompt, host: true), () => Bare(tier!.ReadBare(keys)), speed, use => use.Remote,
            "bare loop of the client", 0.8);
        speed.Drop(prompt, host: true); // or nobody would ask
        Add($"lookup of {tokens:N0} tokens, the store's round trip included",
            Percentile.Median(Enumerable.Range(0, Lookups).Select(_ => speed.Lookup(prompt))) * 1e3, "ms");
        double[] seconds = new double[runs];
        for (int run = 0; run < runs; run++)
        {
            speed.Drop(prompt, host: true);
            KvRequest request = speed.Ask(prompt, cancellation);
            Expect(request.Use.Remote, "from the store");
            seconds[run] = request.Seconds;
        }
        Add("TTFT from store", Percentile.Median(seconds), "s");
        Add("TTFT cold / from store", _coldSeconds / Percentile.Median(seconds), "×", 30, "at least");

        static double Bare((long Bytes, TimeSpan Time) read) => read.Bytes / read.Time.TotalSeconds;
    }

    void Finding(KvSpeed speed, int[] prompt) =>
        Add($"lookup of {tokens:N0} cached tokens", Percentile.Median(Enumerable.Range(0, Lookups).Select(_ => speed.Lookup(prompt))) * 1e6,
            "µs", 300, "at most");

    void Lost(KvSpeed speed, int[] prompt)
    {
        var random = new Random(7);
        HashSet<int> lost = [.. Enumerable.Range(0, tokens / 16).Where(_ => random.Next(100) == 0)];
        speed.Drop(prompt, host: true, lost.Contains);
        speed.DropFromDisk(prompt, lost.Contains);
        KvRequest request = speed.Ask(prompt, cancellation);
        Add($"tokens reused with {lost.Count:N0} of {tokens / 16:N0} blocks lost", (double)request.Use.Reused / tokens,
            "of the prompt", 0.98, "at least");
    }

    /// <summary>Decoding right after a prompt of which all blocks go to the disk, and after one of which they have gone.</summary>
    void Writing(KvSpeed speed)
    {
        double[] busy = new double[runs], quiet = new double[runs];
        for (int run = 0; run < runs; run++)
        {
            quiet[run] = speed.Decode(speed.Prompt(tokens, 200 + run), DecodeTokens, whileWriting: false, cancellation);
            busy[run] = speed.Decode(speed.Prompt(tokens, 300 + run), DecodeTokens, whileWriting: true, cancellation);
            Terminal.Line($"decode of {DecodeTokens}, {run + 1} of {runs}: {busy[run]:0.000} s while writing, {quiet[run]:0.000} s else");
        }
        Add($"cost of write-back to {DecodeTokens} decoded tokens", Percentile.Median(busy) / Percentile.Median(quiet) - 1, "of the time",
            0.05, "at most");
    }

    /// <summary>Restores, and before each what was possible at that moment.</summary>
    void Rate(string name, int[] prompt, Action prepare, Func<double> limit, KvSpeed speed,
        Func<CacheUse, int> tokensFrom, string limitName, double target)
    {
        int times = Math.Max(runs, LeastRestores);
        double[] rates = new double[times], limits = new double[times];
        for (int run = -1; run < times; run++) // the first warms up
        {
            prepare();
            limits[Math.Max(run, 0)] = limit();
            CacheUse use = speed.Restore(prompt);
            Expect(tokensFrom(use), name);
            rates[Math.Max(run, 0)] = use.RestoredBytes / use.RestoreTime.TotalSeconds;
        }
        double share = Percentile.Median(rates.Zip(limits, (rate, possible) => rate / possible));
        _rows.Add(new KvBenchRow(name, Percentile.Median(rates) / 1e9, "GB/s", Percentile.Median(limits) / 1e9, limitName, share,
            $"at least {target:P0}", share >= target));
    }

    void Expect(int found, string what)
    {
        if (found < tokens - 1)
            throw new InvalidOperationException($"{what}: only {found:N0} of {tokens:N0} tokens came from there");
    }

    void Add(string name, double value, string unit, double? target = null, string how = "")
    {
        bool? reached = target is null ? null : how == "at most" ? value <= target : value >= target;
        _rows.Add(new KvBenchRow(name, value, unit, null, null, null, target is null ? null : $"{how} {target}", reached));
    }
}

/// <summary>A figure, its limit if there is a physical one, and what it should be.</summary>
sealed record KvBenchRow(string Name, double Value, string Unit, double? Limit, string? LimitName,
    double? Share, string? Target, bool? Reached);
