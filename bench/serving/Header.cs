using System.Globalization;
using System.Runtime.InteropServices;

namespace Kvasir.Serving;

/// <summary>What a reader needs to judge the numbers.</summary>
sealed record Header(DateTime Date, string Processor, int LogicalProcessors, string OperatingSystem, double? LoadAverage, string Load)
{
    public static Header Of(LoadOptions options) =>
        new(DateTime.UtcNow, ProcessorName(), Environment.ProcessorCount, RuntimeInformation.OSDescription,
            LoadOfOthers(), Describe(options));

    /// <summary>Lines of a list.</summary>
    public IEnumerable<string> Lines(IReadOnlyList<ServerSpec> servers) =>
    [
        $"- date: {Date:yyyy-MM-dd HH:mm} UTC; {Processor}, {LogicalProcessors} logical processors; load average before the first round: "
            + $"{LoadAverage:F2}",
        $"- {Load}",
        .. servers.Select(spec => $"- {spec.Name}: `{(spec.Address is null ? string.Join(' ', spec.Command) : spec.Address)}`"),
    ];

    static string Describe(LoadOptions options) => options.Scenario switch
    {
        Scenario.Idle => $"idle: {options.Connections} connections; {options.Rounds} rounds; medians",
        Scenario.Soak => $"soak: {options.SoakTime.TotalMinutes:0.#} min, {options.Clients} clients; {Texts(options)}",
        Scenario.Single => $"single: {options.Clients} chats, one after another; {Texts(options)}; {options.Rounds} rounds; medians",
        _ => $"chats: {options.Clients} at once{Ramp(options)}; {Texts(options)}; {options.Rounds} rounds; medians",
    };

    static string Ramp(LoadOptions options) => options.Ramp > TimeSpan.Zero ? $" over {options.Ramp.TotalSeconds:0.#} s" : "";

    static string Texts(LoadOptions options) =>
        $"{options.Turns} turns, a shared system prompt of {options.SystemTokens} tokens, questions of about {options.UserTokens}, " +
        $"answers of {options.MaxTokens}, seed {options.Seed}";

    /// <summary>Others on the same cores hurt servers unequally: one that spins while it waits loses more.</summary>
    static double? LoadOfOthers() =>
        File.Exists("/proc/loadavg") ? double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture) : null;

    static string ProcessorName() =>
        File.Exists("/proc/cpuinfo")
            && File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()
            : RuntimeInformation.ProcessArchitecture.ToString();
}
