using System.Globalization;
using Kvasir.Formats;
using Kvasir.Planning.Simulation;

namespace Kvasir.Cli.Verbs.Simulate.Reports;

/// <summary>
/// Faults as users type them: <c>node-loss@600s:node=1,for=10min</c>, <c>slow-disk@10min:factor=8</c>,
/// <c>block-loss@1h:share=0.1,node=0</c>.
/// </summary>
static class FaultText
{
    const string Expected = "expected KIND@TIME such as node-loss@600s:node=1, slow-disk@10min:factor=8 or block-loss@1h:share=0.1";

    static readonly Dictionary<string, (FaultKind Kind, string? Amount, double Most)> s_kinds = new()
    {
        ["node-loss"] = (FaultKind.NodeLoss, null, 0), ["slow-disk"] = (FaultKind.SlowDisk, "factor", 1e6),
        ["block-loss"] = (FaultKind.BlockLoss, "share", 1),
    };

    public static Fault Parse(string text)
    {
        string[] halves = text.Split(':', 2), when = halves[0].Split('@', 2);
        if (when.Length < 2 || !s_kinds.TryGetValue(when[0], out (FaultKind Kind, string? Amount, double Most) kind)
            || !Duration.TryParse(when[1], out TimeSpan at))
            throw Wrong(text, Expected);
        int? node = null;
        double? amount = null;
        foreach (string[] pair in halves.Skip(1).SelectMany(rest => rest.Split(',')).Select(pair => pair.Split('=', 2)))
            if (pair is ["node", var number] && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int given))
                node = given;
            else if (kind.Kind == FaultKind.NodeLoss && pair is ["for", var time] && Duration.TryParse(time, out TimeSpan gone))
                amount = gone.TotalSeconds;
            else if (pair.Length == 2 && pair[0] == kind.Amount)
                amount = Amount(text, pair[1], kind.Most);
            else
                throw Wrong(text,
                    $"expected {(kind.Amount is null ? "for=TIME" : $"{kind.Amount}=NUMBER")} or node=NUMBER, from 0, behind the colon");
        if (kind.Amount is not null && amount is null)
            throw Wrong(text, $"expected {kind.Amount}=NUMBER behind a colon");
        return new Fault(at, kind.Kind, node, amount ?? 0);
    }

    static double Amount(string text, string value, double most) =>
        double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double amount) && amount > 0
            && amount <= most
            ? amount : throw Wrong(text,
                FormattableString.Invariant($"expected a number above 0, at most {most:0}, and not {Printable.Quote(value)}"));

    /// <summary>What it does, as a reader would say it.</summary>
    public static string Describe(Fault fault)
    {
        string where = fault.Node is { } node ? $"machine {node}" : "all machines";
        return fault.Kind switch
        {
            FaultKind.NodeLoss => $"{where} lost, and replaced with nothing in the cache "
                + (fault.Amount > 0 ? $"after {Duration.Text(fault.Amount)}" : "as soon as that is known"),
            FaultKind.SlowDisk => FormattableString.Invariant($"disks {fault.Amount:0.##} times slower on {where}"),
            _ => FormattableString.Invariant($"{fault.Amount * 100:0.##} % of blocks lost on {where}"),
        };
    }

    static UsageException Wrong(string text, string expected) => new($"--fault {Printable.Quote(text)}: {expected}");
}
