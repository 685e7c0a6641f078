using System.CommandLine;
using System.CommandLine.Help;
using System.Text;
using Kvasir.Cli;
using Kvasir.Cli.Verbs;
using Kvasir.Cli.Verbs.Kv;
using Kvasir.Cli.Verbs.Simulate;

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

Dictionary<string, Func<Command>> verbs = new()
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
RootCommand root = new("Kvasir runs language models and never computes the keys and values of the same tokens twice.");
// Whoever names a verb does not wait until the flags of the others are made.
IEnumerable<Func<Command>> needed = args is [var name, ..] && verbs.TryGetValue(name, out Func<Command>? asked) ? [asked] : verbs.Values;
foreach (Func<Command> create in needed)
    root.Add(create());
// On Windows these ask for help too; here they may be prompts.
foreach (HelpOption help in root.Options.OfType<HelpOption>())
{
    help.Aliases.Remove("/h");
    help.Aliases.Remove("/?");
}
return CommandLineRunner.Run(root, args);
