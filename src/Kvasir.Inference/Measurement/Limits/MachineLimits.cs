using System.Collections.Immutable;
using Kvasir.Inference.Measurement.Speed;

namespace Kvasir.Inference.Measurement.Limits;

/// <summary>What so many threads of this machine can do at best, per second.</summary>
/// <param name="Threads">Compute threads.</param>
/// <param name="ReadBytesPerS">Bytes read from memory beyond the caches.</param>
/// <param name="CopyBytesPerS">Bytes copied from memory to memory, each counted once although it is read and written.</param>
/// <param name="Fp32PerS">Single-precision operations; a fused multiply-add is two.</param>
/// <param name="Int8PerS">Operations on 8-bit integers with 32-bit sums; a multiply-add is two.</param>
/// <param name="Int8Instructions">The instructions that reached it.</param>
/// <param name="Measured">When.</param>
public sealed record ThreadLimits(
    int Threads, double ReadBytesPerS, double CopyBytesPerS, double Fp32PerS, double Int8PerS,
    string Int8Instructions, DateTimeOffset Measured)
{
    /// <summary>The larger of each, for a machine that was busy with something else while one of the two was measured.</summary>
    public ThreadLimits Larger(ThreadLimits other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return this with
        {
            ReadBytesPerS = Math.Max(ReadBytesPerS, other.ReadBytesPerS),
            CopyBytesPerS = Math.Max(CopyBytesPerS, other.CopyBytesPerS),
            Fp32PerS = Math.Max(Fp32PerS, other.Fp32PerS),
            Int8PerS = Math.Max(Int8PerS, other.Int8PerS),
            Int8Instructions = Int8PerS >= other.Int8PerS ? Int8Instructions : other.Int8Instructions,
        };
    }
}

/// <summary>What the disk below a directory can do.</summary>
/// <param name="Directory">Where the file lay that was written and read.</param>
/// <param name="Direct">Whether the system's cache was bypassed. If not, reads may have come from memory.</param>
/// <param name="WriteBytesPerS">Bytes written one after the other, until they are on the disk.</param>
/// <param name="ReadBytesPerS">Bytes read one after the other.</param>
/// <param name="RandomReadBytesPerS">Bytes read in short requests all over the file.</param>
/// <param name="FlushSeconds">Median time to write 4 KiB and have it on the disk.</param>
/// <param name="Measured">When.</param>
public sealed record DiskLimits(
    string Directory, bool Direct, double WriteBytesPerS, double ReadBytesPerS, double RandomReadBytesPerS,
    double FlushSeconds, DateTimeOffset Measured);

/// <summary>The limits of one machine, as far as they are measured.</summary>
/// <param name="Format">Version of this record in a file.</param>
/// <param name="Machine">Whose limits these are.</param>
/// <param name="Threads">One entry per number of threads, ascending.</param>
/// <param name="Disks">One entry per directory, the latest last.</param>
public sealed record MachineLimits(int Format, MachineIdentity Machine,
    ImmutableArray<ThreadLimits> Threads, ImmutableArray<DiskLimits> Disks)
{
    /// <summary>Changes whenever fields, or how they are measured, change.</summary>
    public const int CurrentFormat = 1;

    internal const int MostDisks = 16;

    /// <summary>Nothing measured yet.</summary>
    public static MachineLimits Unmeasured(MachineIdentity machine) => new(CurrentFormat, machine, [], []);

    /// <summary>The limits with so many threads, if they are measured.</summary>
    public ThreadLimits? For(int threads) => Threads.FirstOrDefault(entry => entry.Threads == threads);

    /// <summary>The limits of the disk below a directory, if they are measured.</summary>
    public DiskLimits? For(string directory) => Disks.LastOrDefault(entry => entry.Directory == directory);

    /// <summary>These limits with an entry added or replaced.</summary>
    public MachineLimits With(ThreadLimits entry) =>
        this with { Threads = [.. Threads.Where(other => other.Threads != entry.Threads).Append(entry).OrderBy(each => each.Threads)] };

    /// <summary>These limits with an entry added or replaced; the oldest gives way when there are too many.</summary>
    public MachineLimits With(DiskLimits entry) =>
        this with { Disks = [.. Disks.Where(other => other.Directory != entry.Directory).Append(entry).TakeLast(MostDisks)] };
}
