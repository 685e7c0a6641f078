using System.CommandLine;
using System.Text;
using Kvasir.Cli.Verbs.Simulate.Html;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;
using Kvasir.Planning.Traces.Generators;

namespace Kvasir.Cli.Verbs.Simulate;

/// <summary><c>kvasir simulate</c>: what a fleet's cache would have done for requests that came, or might come.</summary>
sealed class SimulateVerb
{
    static readonly Argument<string> s_trace = new("TRACE")
    {
        Description = $"A file of JSON lines, a recording of ours or one of "
        + $"Mooncake's format, or a line that makes one, as in chat:users=100,turns=8: "
        + $"{string.Join(", ", TraceGenerator.Workloads.Select(workload => workload.Name))}, joined by +; 'chat:help' lists what can be set"
    };
    static readonly Option<int?> s_blockTokens = new("--block-tokens")
    {
        Description = "Tokens of a block; without it, what the file says, 512 for Mooncake's, and 16 for made traces",
        CustomParser = ParseBlockTokens, HelpName = "N",
    };
    static readonly Option<bool> s_sort = new("--sort") { Description = "Put requests that are not in the order of their arrival into it" };
    static readonly FleetFlags s_fleet = new();
    static readonly Option<string?> s_sweep = new("--sweep")
    {
        Description = "Replay on many fleets, too: 'host=1GiB..1TiB "
        + "policy=lru,s3-fifo' doubles from the first to the last, and combines all; device, host, disk, remote, nodes, placement, "
        + "policy", HelpName = "WHAT"
    };
    static readonly Option<string?> s_html = new("--html") { Description = "Write a page that shows all, too", HelpName = "FILE" };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("simulate")
        {
            s_trace, s_blockTokens, s_sort,
        };
        s_fleet.AddTo(verb);
        foreach (Option option in (Option[])[s_sweep, s_html, s_json])
            verb.Options.Add(option);
        verb.SetAction(Run);
        return verb;
    }

    static int? ParseBlockTokens(System.CommandLine.Parsing.ArgumentResult result) =>
        Number.ParseWithin(1, TraceHeader.MostBlockTokens)(result);

    static int Run(ParseResult parsed)
    {
        string source = parsed.GetRequiredValue(s_trace);
        if (TraceGenerator.Workloads.FirstOrDefault(workload => source == $"{workload.Name}:help") is { } asked)
            return SimulateText.Print(asked);
        using Interrupt interrupt = new();
        try
        {
            return Run(parsed, source, interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            return Terminal.Error("interrupted", ExitCode.Failed);
        }
    }

    static int Run(ParseResult parsed, string source, CancellationToken cancellation)
    {
        Sweep? sweep = parsed.GetValue(s_sweep) is { } text ? Sweep.Parse(text) : null;
        s_fleet.Parse(parsed, null, cancellation); // wrong flags are told before a long file is read
        (Trace trace, long? bytesPerToken) = TraceSource.Load(source, parsed.GetValue(s_blockTokens),
            parsed.GetValue(s_sort), cancellation);
        (SimulationOptions options, ServedModel? model) = s_fleet.Parse(parsed, bytesPerToken, cancellation);
        PlacementText.Check("--placement", options.Placement, trace);
        if (sweep?.Dimensions.Any(dimension => dimension.Values.Any(value => value.Text == "session")) == true)
            PlacementText.Check("--sweep placement", Placement.Session, trace);
        SimulationResult result = WorkProgress.Show("replaying", progress => Simulator.Run(trace, options, progress, cancellation));
        IReadOnlyList<SweepPoint>? points = sweep is null
            ? null
            : WorkProgress.Show("replaying the sweep", progress => SweepRun.Run(trace, options, sweep, progress, cancellation));
        SimulateReport report = SimulateReport.From(trace, options, result, points, model?.Words, model?.Summary);
        if (parsed.GetValue(s_html) is { } page)
            File.WriteAllText(page, HtmlReport.Render(report), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        if (parsed.GetValue(s_json))
            SimulateJson.Write(report);
        else
            SimulateText.Print(report);
        return ExitCode.Ok;
    }
}
