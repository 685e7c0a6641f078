using System.CommandLine;
using Kvasir.Formats;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Verbs.Simulate;

/// <summary>The flags that say what is kept of prompts.</summary>
sealed class RetentionFlags
{
    readonly Option<string?> _retain = new("--kv-retain")
    {
        Description = $"What is kept of each prompt before its question: {KvRetention.Forms}. Expects --model", HelpName = "POLICY",
    };
    readonly Option<int?> _question = new("--kv-question")
    {
        Description = "Tokens at the end of each prompt that --kv-retain keeps whole, since traces do not say where the last message "
            + $"begins; without it, {SimulatedRetention.UsualQuestion}",
        CustomParser = Number.ParseOptionalWithin(0, int.MaxValue), HelpName = "N",
    };

    public IEnumerable<Option> All => [_retain, _question];

    /// <summary>What is kept; null for everything.</summary>
    public SimulatedRetention? Parse(ParseResult parsed, KvSize? size)
    {
        KvRetention keeps = parsed.GetValue(_retain) is { } policy ? KvRetention.Parse(policy) : KvRetention.Everything;
        if (parsed.GetValue(_question) is { } question && keeps.Policy is null)
            throw new UsageException($"--kv-question {question}: expected a policy in --kv-retain");
        if (keeps.Policy is null)
            return null;
        if (size is null)
            throw new UsageException($"--kv-retain {Printable.Line(parsed.GetValue(_retain)!)}: expected a --model, whose layers and heads "
                + "say what a view takes");
        keeps.Of(size, 1); // a policy that changes nothing is refused
        return new SimulatedRetention(keeps, size)
        {
            QuestionTokens = parsed.GetValue(_question) ?? SimulatedRetention.UsualQuestion,
        };
    }
}
