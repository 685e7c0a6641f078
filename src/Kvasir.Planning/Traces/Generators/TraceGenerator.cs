using Kvasir.Formats;

namespace Kvasir.Planning.Traces.Generators;

/// <summary>
/// Makes traces from a line such as <c>chat:users=100,turns=8+scan:requests=50</c>: kinds of work with their parameters, at the same time
/// where + joins them. Equal lines and block sizes give equal traces, on every machine.
/// </summary>
public static class TraceGenerator
{
    /// <summary>All kinds of work.</summary>
    public static IReadOnlyList<Workload> Workloads { get; } = [Chat.Workload, SystemPrompts.Workload,
        Retrieval.Workload, Scan.Workload, Agents.Workload];

    /// <summary>Whether a text begins as such a line does, and is no file's name unless a folder stands before it.</summary>
    public static bool IsSpec(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Workloads.Any(workload => text.StartsWith(workload.Name, StringComparison.Ordinal)
            && (text.Length == workload.Name.Length || text[workload.Name.Length] is ':' or '+'));
    }

    /// <summary>Makes the trace.</summary>
    /// <param name="spec">The line.</param>
    /// <param name="blockTokens">Tokens of a block, 1 to <see cref="TraceHeader.MostBlockTokens"/>.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <exception cref="ArgumentException">The line is wrong, or asks for too much; the message is one line that
    /// says where and why.</exception>
    public static Trace Generate(string spec, int blockTokens, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentOutOfRangeException.ThrowIfLessThan(blockTokens, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(blockTokens, TraceHeader.MostBlockTokens);
        var requests = new RequestList(blockTokens, cancellation);
        foreach (string part in spec.Split('+'))
            Generate(part, requests);
        return new Trace(spec, blockTokens, requests.InOrder());
    }

    static void Generate(string part, RequestList requests)
    {
        string[] halves = part.Split(':', 2);
        Workload workload = Workloads.FirstOrDefault(known => known.Name == halves[0])
            ?? throw new ArgumentException(
                $"generator {Printable.Quote(halves[0])}: expected one of {string.Join(", ", Workloads.Select(known => known.Name))}");
        workload.Generate(Parse(workload, halves.Length > 1 ? halves[1] : ""), requests);
    }

    static WorkloadSettings Parse(Workload workload, string text)
    {
        var values = workload.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Default);
        HashSet<string> given = [];
        foreach (string pair in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] halves = pair.Split('=', 2);
            WorkloadParameter parameter = workload.Parameters.FirstOrDefault(known => known.Name == halves[0])
                ?? throw new ArgumentException($"{workload.Name}: no parameter {Printable.Quote(halves[0])}: expected "
                    + $"{string.Join(", ", workload.Parameters.Select(known => known.Name))}");
            if (!given.Add(parameter.Name))
                throw new ArgumentException($"{workload.Name}: {parameter.Name} is there twice: expected once");
            values[parameter.Name] = parameter.Parse(workload.Name, halves.Length > 1 ? halves[1] : "");
        }
        return new WorkloadSettings(values);
    }
}
