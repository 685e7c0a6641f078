using System.CommandLine;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.Formats;
using Kvasir.Planning.Simulation;

namespace Kvasir.Cli.Verbs.Simulate;

/// <summary>The flags that say what the remote store is as a whole, and what it costs.</summary>
sealed class StoreFlags(double? usualPrice = null)
{
    readonly Option<string?> _bandwidth = new("--remote-bandwidth")
    {
        Description = "What the store gives and takes of all machines together, such as 4GiB/s or unlimited; without it, as much as "
            + "--remote says of one machine",
        HelpName = "SPEED",
    };
    readonly Option<long?> _value = new("--remote-value")
    {
        Description = "Bytes of a value of the store: reading or writing as many is a request; without it, 512KiB",
        CustomParser = ByteSize.Parse, HelpName = "SIZE",
    };
    readonly Option<double?> _price = Price("--remote-price", "Price of a GiB in the store for a month of 30 days; without it, "
        + (usualPrice is null ? "nothing" : $"{usualPrice}"));
    readonly Option<double?> _requestPrice = Price("--remote-request-price", "Price of a thousand requests to the store, as S3 has it");
    readonly Option<double?> _transferPrice = Price("--remote-transfer-price", "Price of a GiB that is read or written, as S3 has it");

    Option[] All => [_bandwidth, _value, _price, _requestPrice, _transferPrice];

    public void AddTo(Command verb)
    {
        foreach (Option option in All)
            verb.Options.Add(option);
    }

    /// <summary>The store behind a remote tier.</summary>
    public StoreOptions Parse(ParseResult parsed, SimulatedTier remote)
    {
        if (remote.Bytes == 0 && Array.Find(All, option => parsed.GetResult(option) is { Implicit: false }) is { } useless)
            throw new UsageException($"{useless.Name} {Printable.Quote(parsed.GetResult(useless)!.Tokens[^1].Value)}: expected --remote "
                + $"with the size of the store, too");
        return new StoreOptions
        {
            BytesPerS = parsed.GetValue(_bandwidth) switch
            {
                null => remote.BytesPerS,
                "unlimited" => double.PositiveInfinity,
                var text => TierText.Speed(text) ?? throw new UsageException(
                    $"--remote-bandwidth {Printable.Quote(text)}: expected a speed such as 4GiB/s, or unlimited"),
            },
            ValueBytes = parsed.GetValue(_value) switch
            {
                0 => throw new UsageException("--remote-value '0': expected a size above 0, such as 512KiB"),
                var given => given ?? new StoreOptions().ValueBytes,
            },
            PricePerGiBMonth = parsed.GetValue(_price) ?? (remote.Bytes > 0 ? usualPrice ?? 0 : 0),
            PricePerThousandRequests = parsed.GetValue(_requestPrice) ?? 0,
            PricePerGiBMoved = parsed.GetValue(_transferPrice) ?? 0,
        };
    }

    static Option<double?> Price(string name, string description) =>
        new(name) { Description = description, CustomParser = FleetFlags.Positive, HelpName = "MONEY" };
}
