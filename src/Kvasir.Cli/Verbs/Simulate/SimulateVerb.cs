using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text;
using Kvasir.Cli.Verbs.Simulate.Html;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.Formats;
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
        + "policy=lru,hit-density' doubles from the first to the last, and combines all; device, host, disk, remote, nodes, placement, "
        + "policy", HelpName = "WHAT"
    };
    static readonly Option<string?> s_policies = new("--policies")
    {
        Description = "Compare eviction policies instead, in one tier of so many blocks: 2000..40000 doubles from the first to the last, and "
        + "commas join more", HelpName = "BLOCKS"
    };
    static readonly Option<double> s_judge = new("--judge-from")
    {
        Description = "Share of the requests after which --policies counts what is found: those before only fill the tier, and teach it",
        HelpName = "0…1", CustomParser = ParseShare,
    };
    static readonly string[] s_ofPolicies = ["--policies", "--judge-from", "--json", "--block-tokens", "--sort", "--prefill", "--model",
        "--hardware", "--devices", "--weights", "--efficiency"];
    static readonly Option<string?> s_html = new("--html") { Description = "Write a page that shows all, too", HelpName = "FILE" };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("simulate")
        {
            s_trace, s_blockTokens, s_sort,
        };
        s_fleet.AddTo(verb);
        foreach (Option option in (Option[])[s_sweep, s_policies, s_judge, s_html, s_json])
            verb.Options.Add(option);
        verb.SetAction(Run);
        return verb;
    }

    static int? ParseBlockTokens(ArgumentResult result) =>
        Number.ParseWithin(1, TraceHeader.MostBlockTokens)(result);

    static double ParseShare(ArgumentResult result)
    {
        if (double.TryParse(result.Tokens[0].Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double share)
            && share is >= 0 and < 1)
            return share;
        result.AddError($"--judge-from {Printable.Quote(result.Tokens[0].Value)}: expected a number from 0 up to below 1");
        return 0;
    }

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
        ImmutableArray<int>? rooms = Rooms(parsed);
        s_fleet.Parse(parsed, null, cancellation); // wrong flags are told before a long file is read
        (Trace trace, long? bytesPerToken) = TraceSource.Load(source, parsed.GetValue(s_blockTokens),
            parsed.GetValue(s_sort), cancellation);
        (SimulationOptions options, ServedModel? model) = s_fleet.Parse(parsed, bytesPerToken, cancellation);
        if (rooms is { } sizes)
            return Compare(parsed, Policies.Run(trace, options.Prefill, sizes, parsed.GetValue(s_judge), cancellation));
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

    /// <summary>Sizes to compare policies in; null where a fleet is asked for.</summary>
    static ImmutableArray<int>? Rooms(ParseResult parsed)
    {
        if (parsed.GetValue(s_policies) is not { } text)
            return parsed.GetResult(s_judge) is null or { Implicit: true } ? null
                : throw new UsageException($"{s_judge.Name}: expected with {s_policies.Name}");
        if (parsed.CommandResult.Children.OfType<OptionResult>().FirstOrDefault(result => !result.Implicit
            && !s_ofPolicies.Contains(result.Option.Name)) is { } other)
            throw new UsageException($"{other.Option.Name}: expected without {s_policies.Name}, which compares policies in one tier alone");
        return Policies.Rooms(text);
    }

    static int Compare(ParseResult parsed, PolicyReport report)
    {
        if (parsed.GetValue(s_json))
            SimulateJson.Write(report);
        else
            report.Print();
        return ExitCode.Ok;
    }
}
