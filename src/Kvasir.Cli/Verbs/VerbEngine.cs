using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;

namespace Kvasir.Cli.Verbs;

/// <summary>
/// The engine of a verb, which says what is wrong with the disk: at the start, and at the end what came up since. Neither is a failure:
/// everything can be computed.
/// </summary>
sealed class VerbEngine : IDisposable
{
    readonly bool _verbose;
    string? _said;

    public VerbEngine(LanguageModel model, EngineOptions options, bool verbose = false)
    {
        (Engine, _verbose) = (new InferenceEngine(model, options), verbose);
        WarnOfDisk();
        if (verbose && Engine.Foresee(Engine.Context) is { } foreseen)
            Terminal.Line(StreamText.Ahead(Engine.Context, foreseen));
    }

    public InferenceEngine Engine { get; }

    public void Dispose()
    {
        Engine.Dispose();
        WarnOfDisk();
        if (_verbose && Engine.Cache.Unfinished is > 0 and var blocks)
            Terminal.Line($"keys and values on the disk: closing took too long; {blocks:N0} blocks were not written");
    }

    void WarnOfDisk()
    {
        if (Engine.Cache.Problem is not { } problem || problem == _said || IsOfStore(problem))
            return;
        _said = problem;
        Terminal.Line($"warning: keys and values on the disk: {Printable.Line(problem, 4096)}");
    }

    /// <summary>A store speaks for itself, as soon as it has a problem.</summary>
    bool IsOfStore(string problem) => Engine.Cache.ProblemOf(Tier.Remote) == problem;
}
