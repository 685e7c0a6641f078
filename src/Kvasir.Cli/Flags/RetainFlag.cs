using System.CommandLine;
using System.CommandLine.Parsing;
using Kvasir.Cli.Configuration;
using Kvasir.KvCache.Retention;

namespace Kvasir.Cli.Flags;

/// <summary>The flag that says what is kept of a prompt's keys and values.</summary>
static class RetainFlag
{
    /// <summary>A policy, or none.</summary>
    public static Option<RetentionChoice> Create() => new Setting<RetentionChoice>("--kv-retain")
    {
        Description = "Keep less of a prompt's keys and values: a share such as 25%, or a policy such as replay:25%. Answers are "
            + "not exact then",
        Usual = "none: everything is kept",
        CustomParser = Read,
        HelpName = "POLICY",
    };

    static RetentionChoice? Read(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        try
        {
            return new RetentionChoice(RetentionPolicy.Parse(text));
        }
        catch (ArgumentException e)
        {
            result.AddError($"--kv-retain: {e.Message}");
            return null;
        }
    }
}

/// <summary>What was said, which may be that nothing is left out: the parser takes no null for a value.</summary>
/// <param name="Policy">The policy; null for none.</param>
sealed record RetentionChoice(RetentionPolicy? Policy);
