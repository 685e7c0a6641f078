using System.CommandLine;
using Kvasir.Cli.Configuration;
using Kvasir.Formats;
using Kvasir.Inference.Drafting;

namespace Kvasir.Cli.Flags;

/// <summary>Whether tokens are guessed ahead.</summary>
sealed class SpeculativeFlag
{
    const string Expected = "expected off, lookup or auto";

    readonly Setting<string?> _mode = new("--speculative")
    {
        Description = "Guess tokens ahead from what prompt and answer have said before, and compute the guesses together; answers are the "
            + "same: off, lookup wherever something was said before, or auto where it pays",
        Usual = "auto",
        HelpName = "MODE",
    };

    public SpeculativeFlag() => _mode.Validators.Add(result =>
    {
        if (result.Tokens.Count > 0 && Find(result.Tokens[^1].Value) is null)
            result.AddError($"{_mode.Name} {Printable.Quote(result.Tokens[^1].Value)}: {Expected}");
    });

    public Option Option => _mode;

    /// <summary>The mode, of those that <paramref name="computesAgain"/> allows.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="computesAgain">Whether every step computes all tokens again, one after the other.</param>
    /// <exception cref="UsageException">Guesses are wanted where there can be none.</exception>
    public SpeculativeMode Read(ParseResult parsed, bool computesAgain)
    {
        SpeculativeMode? mode = parsed.GetValue(_mode) is { } name ? Find(name) : null;
        return mode == SpeculativeMode.Lookup && computesAgain
            ? throw new UsageException(
                $"{_mode.Name} lookup beside --no-kv-cache: the oracle computes one token after the other, expected off")
            : mode ?? SpeculativeMode.Auto;
    }

    /// <summary>A mode by its name; null for none.</summary>
    public static SpeculativeMode? Find(string name) => name switch
    {
        "off" => SpeculativeMode.Off,
        "lookup" => SpeculativeMode.Lookup,
        "auto" => SpeculativeMode.Auto,
        _ => null,
    };
}
