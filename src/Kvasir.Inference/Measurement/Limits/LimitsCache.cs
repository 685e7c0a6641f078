namespace Kvasir.Inference.Measurement.Limits;

/// <summary>The machine's limits: those on disk, completed by measuring what is missing, and kept for the next run.</summary>
public sealed class LimitsCache
{
    readonly string? _path;
    readonly Func<int, ThreadLimits> _measure;

    /// <param name="folder">Where the limits are kept; null keeps them for this run only.</param>
    /// <param name="machine">The machine that this runs on.</param>
    /// <param name="measure">Measures with so many threads: <see cref="MachineSpeed.Measure"/>.</param>
    public LimitsCache(string? folder, MachineIdentity machine, Func<int, ThreadLimits> measure)
    {
        (_path, _measure) = (folder is null ? null : LimitsFile.In(folder), measure);
        Limits = (_path is null ? null : LimitsFile.Read(_path, machine)) ?? MachineLimits.Unmeasured(machine);
        NotKept = folder is null ? "there is no home and no XDG_CACHE_HOME to keep them in" : null;
    }

    /// <summary>What is known so far.</summary>
    public MachineLimits Limits { get; private set; }

    /// <summary>Why the next run will have to measure again, if it will.</summary>
    public string? NotKept { get; private set; }

    /// <summary>The limits with so many threads: known, or else measured now.</summary>
    public ThreadLimits Get(int threads) => Limits.For(threads) ?? Measure(threads);

    /// <summary>Measures now, whatever is known.</summary>
    public ThreadLimits Measure(int threads)
    {
        ThreadLimits measured = _measure(threads);
        Keep(Limits.With(measured));
        return measured;
    }

    /// <summary>Measures again because more was achieved than the limit allows. The larger values are the better measurement.</summary>
    public ThreadLimits Raise(int threads)
    {
        ThreadLimits measured = _measure(threads);
        ThreadLimits larger = Limits.For(threads) is { } known ? measured.Larger(known) : measured;
        Keep(Limits.With(larger));
        return larger;
    }

    /// <summary>Adds what a disk can do.</summary>
    public void Add(DiskLimits disk) => Keep(Limits.With(disk));

    void Keep(MachineLimits limits)
    {
        Limits = limits;
        if (_path is null)
            return;
        try
        {
            LimitsFile.Write(_path, limits);
        }
        catch (IOException e)
        {
            NotKept = e.Message;
        }
    }
}
