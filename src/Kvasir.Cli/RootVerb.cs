using System.CommandLine;
using System.CommandLine.Help;
using Kvasir.Cli.Configuration;
using Kvasir.Cli.Verbs;
using Kvasir.Cli.Verbs.Kv;
using Kvasir.Cli.Verbs.Simulate;

namespace Kvasir.Cli;

/// <summary><c>kvasir</c> with its verbs.</summary>
static class RootVerb
{
    static readonly Dictionary<string, Func<Command>> s_verbs = new()
    {
        ["run"] = RunVerb.Create,
        ["chat"] = ChatVerb.Create,
        ["serve"] = ServeVerb.Create,
        ["show"] = ShowVerb.Create,
        ["tokenize"] = TokenizeVerb.Create,
        ["quantize"] = QuantizeVerb.Create,
        ["sample-document"] = SampleDocumentVerb.Create,
        ["synth"] = SynthVerb.Create,
        ["bench"] = BenchVerb.Create,
        ["limits"] = LimitsVerb.Create,
        ["estimate"] = EstimateVerb.Create,
        ["simulate"] = SimulateVerb.Create,
        ["plan"] = PlanVerb.Create,
        ["kv"] = KvVerb.Create,
        ["perplexity"] = PerplexityVerb.Create,
        ["eval"] = EvalVerb.Create,
    };

    /// <summary>With all verbs.</summary>
    public static RootCommand Create() => Create([]);

    /// <summary>
    /// With the verbs that a command line needs. Whoever names one does not wait until the flags of the others are made, unless there are
    /// settings, all of which are checked.
    /// </summary>
    public static RootCommand Create(IReadOnlyList<string> args)
    {
        RootCommand root = new("Kvasir runs language models and never computes the keys and values of the same tokens twice.");
        bool needsOne = args is [var name, ..] && s_verbs.ContainsKey(name) && !ConfigFile.IsThere && !EnvironmentSettings.AreThere;
        foreach ((string verb, Func<Command> create) in s_verbs)
            if (!needsOne || verb == args[0])
                root.Add(create());
        if (!needsOne)
            root.Add(ConfigVerb.Create(root));
        // On Windows these ask for help too; here they may be prompts.
        foreach (HelpOption help in root.Options.OfType<HelpOption>())
        {
            help.Aliases.Remove("/h");
            help.Aliases.Remove("/?");
        }
        return root;
    }
}
