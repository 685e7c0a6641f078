using System.CommandLine;
using Kvasir.Formats;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Cli.Verbs;

/// <summary>
/// <c>kvasir limits</c>: what this machine can do at best. Measured once and kept, for everything that prints a percentage. With a
/// model, what it could do there.
/// </summary>
sealed class LimitsVerb
{
    static readonly Argument<string?> s_model = new("MODEL")
    {
        Description = "Print the least times that a model takes: a GGUF file, a config.json, a name on this machine or of a well-known "
            + "model, or 'saga'. Without "
            + "it, measure this machine",
        Arity = ArgumentArity.ZeroOrOne,
    };
    static readonly Option<bool> s_again = new("--again") { Description = "Measure anew what is known already" };
    static readonly Option<string> s_directory = new("--dir")
    {
        Description = "A directory of the disk to measure; without it, Kvasir's cache", HelpName = "DIR",
    };
    static readonly Option<bool> s_noDisk = new("--no-disk") { Description = "Leave the disk out" };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("limits")
        {
            s_model, s_again, s_directory, s_noDisk, s_json,
        };
        foreach (Option option in ModelLimitsFlags.All)
            verb.Add(option);
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        string? model = parsed.GetValue(s_model);
        RefuseForeignFlags(parsed, model is null);
        if (parsed.GetValue(s_directory) is { } given && !Directory.Exists(given))
            throw new UsageException($"--dir {Printable.Line(given, 4096)}: no such directory");
        using Interrupt interrupt = new();
        try
        {
            if (model is not null)
                return ModelLimitsVerb.Run(parsed, model, parsed.GetValue(s_json), interrupt.Token);
            LimitsReport report = Measure(parsed, interrupt.Token);
            if (parsed.GetValue(s_json))
                VerbJson.Write(report);
            else
                report.Print();
            return ExitCode.Ok;
        }
        catch (OperationCanceledException)
        {
            return Terminal.Error("interrupted", ExitCode.Failed);
        }
    }

    /// <summary>A flag that would do nothing was meant for the other use of the verb.</summary>
    static void RefuseForeignFlags(ParseResult parsed, bool measures)
    {
        foreach (Option option in measures ? ModelLimitsFlags.All : [s_again, s_directory, s_noDisk])
            if (parsed.GetResult(option) is { Implicit: false })
                throw new UsageException(
                    measures ? $"{option.Name}: needs a MODEL" : $"{option.Name}: measures this machine, which goes without a MODEL");
    }

    static LimitsReport Measure(ParseResult parsed, CancellationToken cancellation)
    {
        LimitsCache cache = Measuring.Limits(cancellation);
        bool again = parsed.GetValue(s_again);
        foreach (int threads in MachineSpeed.ThreadCounts(Environment.ProcessorCount)
            .Where(threads => again || cache.Limits.For(threads) is null))
            cache.Measure(threads);
        (DiskLimits? disk, string? reason) = parsed.GetValue(s_noDisk)
            ? (null, "not asked for")
            : Disk(cache, parsed.GetValue(s_directory), again, cancellation);
        Measuring.Warn(cache);
        return new LimitsReport(cache.Limits.Machine, cache.Limits.Threads, disk, reason);
    }

    /// <summary>The disk's limits, or why there are none: what else was measured is worth printing without them.</summary>
    static (DiskLimits?, string?) Disk(LimitsCache cache, string? given, bool again, CancellationToken cancellation)
    {
        if ((given ?? CacheFolder.Find()) is not { } folder)
            return (null, "there is no cache directory; --dir names one");
        folder = Path.GetFullPath(folder);
        if (!again && cache.Limits.For(folder) is { } known)
            return (known, null);
        try
        {
            if (given is null)
                PrivateFolder.Create(folder);
            DiskLimits measured = Measuring.WithProgress(DiskSpeed.Steps, progress => DiskSpeed.Measure(folder, progress, cancellation));
            cache.Add(measured);
            return (measured, null);
        }
        catch (IOException e)
        {
            return (null, Printable.Line(e.Message, 4096));
        }
    }
}
