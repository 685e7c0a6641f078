using System.CommandLine;
using Kvasir.Formats;
using Kvasir.Vulkan;
using Kvasir.Vulkan.Devices;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir devices</c>: what can compute here, and why something cannot.</summary>
sealed class DevicesVerb
{
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object per device" };

    public static Command Create()
    {
        Command verb = new("devices") { s_json };
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        DeviceLine cpu = new("cpu", "this machine's processors", "cpu", null, null, null, null, null);
        (DeviceLine[] lines, string? problem) = Vulkan();
        lines = [cpu, .. lines];
        if (parsed.GetValue(s_json))
            foreach (DeviceLine line in lines)
                VerbJson.Write(line);
        else
            Print(lines);
        if (problem is not null)
            Terminal.Line(problem);
        return ExitCode.Ok;
    }

    static (DeviceLine[] Lines, string? Problem) Vulkan()
    {
        try
        {
            DeviceLine[] lines = [.. VulkanBackend.Devices().Select(DeviceLine.Of)];
            return (lines, lines.Length > 0 ? null : "Vulkan: its drivers know no device");
        }
        catch (VulkanException e)
        {
            return ([], e.Message);
        }
    }

    static void Print(DeviceLine[] lines)
    {
        Table table = new Table().SimpleBorder().AddColumn("--device").AddColumn("name").AddColumn("kind");
        table.AddColumn(new TableColumn("memory").RightAligned()).AddColumn("Vulkan").AddColumn("driver")
            .AddColumn(new TableColumn("reaches at once").RightAligned()).AddColumn("cannot be used since");
        foreach (DeviceLine line in lines)
            table.AddRow(line.Device, Markup.Escape(Printable.Line(line.Name)), line.Kind, Size(line.MemoryBytes), line.Vulkan ?? "–",
                line.Driver ?? "–", Size(line.MaxRangeBytes), line.Problem ?? "");
        Terminal.Answers.Write(table);
    }

    static string Size(long? bytes) => bytes is { } known ? ByteSize.Text(known) : "–";
}

/// <summary>A device, as <c>devices --json</c> prints it.</summary>
/// <param name="Device">What <c>--device</c> calls it.</param>
/// <param name="Name">Its driver's name of it.</param>
/// <param name="Kind">Whether it is a card of its own, or what else.</param>
/// <param name="MemoryBytes">Its memory.</param>
/// <param name="Vulkan">The version of Vulkan that it speaks.</param>
/// <param name="Driver">The driver's version.</param>
/// <param name="MaxRangeBytes">Most bytes that a kernel reaches at once.</param>
/// <param name="Problem">Why it cannot be used; null when it can.</param>
sealed record DeviceLine(
    string Device, string Name, string Kind, long? MemoryBytes, string? Vulkan, string? Driver, long? MaxRangeBytes, string? Problem)
{
    public static DeviceLine Of(VulkanDeviceInfo info) =>
        new($"vulkan:{info.Index}", info.Name, info.Kind, info.MemoryBytes, info.Api, info.Driver, info.MaxRangeBytes, info.Problem);
}
