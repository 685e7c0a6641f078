using System.CommandLine;
using System.CommandLine.Help;
using Kvasir.Cli.Verbs;
using Kvasir.Cli.Verbs.Kv;
using Kvasir.Cli.Verbs.Simulate;

namespace Kvasir.Cli;

/// <summary><c>kvasir</c> with all its verbs.</summary>
static class RootVerb
{
    public static RootCommand Create()
    {
        RootCommand root = new("Kvasir runs language models and never computes the keys and values of the same tokens twice.")
        {
            RunVerb.Create(),
            ChatVerb.Create(),
            ServeVerb.Create(),
            ShowVerb.Create(),
            TokenizeVerb.Create(),
            QuantizeVerb.Create(),
            SampleDocumentVerb.Create(),
            SynthVerb.Create(),
            BenchVerb.Create(),
            LimitsVerb.Create(),
            EstimateVerb.Create(),
            SimulateVerb.Create(),
            PlanVerb.Create(),
            KvVerb.Create(),
            PerplexityVerb.Create(),
            EvalVerb.Create(),
        };
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
