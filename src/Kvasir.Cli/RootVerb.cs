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
    static readonly Verb[] s_verbs =
    [
        new("run", "Answer a prompt, or a question about a file", RunVerb.Create),
        new("chat", "Talk with a model: /help inside lists what you can do", ChatVerb.Create),
        new("serve", "Serve a model to many, over OpenAI's, Anthropic's, Ollama's and llama-server's protocols", ServeVerb.Create),
        new("route", "Stand before nodes that serve a model, and pass each request to the one that answers it soonest", RouteVerb.Create),
        new("store", "Run a store in which many machines share keys and values", StoreVerb.Create),
        new("pull", "Fetch a model from Hugging Face's hub, into the cache that its other programs use", PullVerb.Create),
        new("models", "List the models on this machine: the hub's, Ollama's, LM Studio's, llama.cpp's", ModelsVerb.Create),
        new("devices", "List what can compute here: the processor, and what Vulkan knows", DevicesVerb.Create),
        new("show", "Describe a model: architecture, tensors, quantisation, KV bytes per token", ShowVerb.Create),
        new("tokenize", "Show a text as tokens: one per line, id and text", TokenizeVerb.Create),
        new("quantize", "Write a model with its matrices in another type", QuantizeVerb.Create),
        new("sample-document", "Print documents in saga's language", SampleDocumentVerb.Create),
        new("synth", "Write a model of a real shape with random weights, to measure with", SynthVerb.Create),
        new("bench", "Measure prefill and decode beside the machine's limits", BenchVerb.Create),
        new("limits",
            "Measure what this machine can do at best, once, and print it; with a model, what it could do at best on some hardware",
            LimitsVerb.Create),
        new("estimate", "Size a model's keys and values: per token, per context, per tier", EstimateVerb.Create),
        new("simulate", "Replay requests on a fleet of machines, and say what its cache would have saved", SimulateVerb.Create),
        new("plan", "Find the cheapest machines and tiers that serve traffic in time", PlanVerb.Create),
        new("kv", "Look at the keys and values that are kept, and look after them", KvVerb.Create),
        new("perplexity", "Measure how well a model predicts a text: exp(mean of -ln p) over its tokens", PerplexityVerb.Create),
        new("eval", "Measure what a model finds in documents of saga's language, or how well it predicts its stories", EvalVerb.Create),
    ];

    /// <summary>With all verbs.</summary>
    public static RootCommand Create() => Create(["config"]);

    /// <summary>
    /// With as much of the verbs as a command line needs: whoever asks for help sees their names, and whoever names one does not wait until
    /// the flags of the others are made, unless there are settings, all of which are checked.
    /// </summary>
    public static RootCommand Create(IReadOnlyList<string> args)
    {
        RootCommand root = new("Kvasir runs language models and never computes the keys and values of the same tokens twice.");
        if (args is [] or ["--help" or "-h" or "-?" or "--version"])
            Array.ForEach(s_verbs, verb => root.Add(new Command(verb.Name, verb.Description)));
        else if (Array.Find(s_verbs, verb => verb.Name == args[0]) is { } named && !ConfigFile.IsThere && !EnvironmentSettings.AreThere)
            root.Add(named.Make());
        else
            Array.ForEach(s_verbs, verb => root.Add(verb.Make()));
        if (root.Subcommands.Count == s_verbs.Length)
            root.Add(ConfigVerb.Create(root));
        // On Windows these ask for help too; here they may be prompts.
        foreach (HelpOption help in root.Options.OfType<HelpOption>())
        {
            help.Aliases.Remove("/h");
            help.Aliases.Remove("/?");
        }
        return root;
    }

    /// <summary>What is said of a verb, and what makes its flags.</summary>
    sealed record Verb(string Name, string Description, Func<Command> Create)
    {
        public Command Make()
        {
            Command command = Create();
            command.Description = Description;
            return command;
        }
    }
}
