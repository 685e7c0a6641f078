using System.CommandLine;
using Kvasir.Cli.Pull;
using Kvasir.Cli.Stores;
using Kvasir.Formats;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir pull</c>: a model from Hugging Face's hub.</summary>
sealed class PullVerb
{
    static readonly Argument<string> s_name = new("NAME")
    {
        Description = "The model, such as Qwen/Qwen3-0.6B; a type after a colon chooses among GGUF files, as in org/repo:Q4_K_M",
    };
    static readonly Option<string> s_revision = new("--revision")
    {
        Description = "A branch, a tag or a commit", DefaultValueFactory = _ => HubCache.MainBranch, HelpName = "R",
    };
    static readonly Option<string[]> s_include = new("--include")
    {
        Description = "Fetch files like this in place of what a model needs, with * and ?; may be given several times",
        HelpName = "PATTERN",
    };
    static readonly Option<bool> s_offline = new("--offline")
    {
        Description = "Ask nobody: answer with what is here, if it is whole. HF_HUB_OFFLINE=1 says the same",
    };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object per file, and one when done" };

    public static Command Create()
    {
        Command verb = new("pull") { s_name, s_revision, s_include, s_offline, s_json };
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        HubName name = Name(parsed.GetRequiredValue(s_name));
        ModelPlaces places = ModelPlaces.OfEnvironment();
        HubSettings settings = HubSettings.Of(Environment.GetEnvironmentVariable, places);
        string revision = parsed.GetRequiredValue(s_revision);
        string[] include = parsed.GetValue(s_include) ?? [];
        bool json = parsed.GetValue(s_json);
        HubCache[] caches = [.. places.HubCaches.Select(root => new HubCache(root))];
        if (settings.IsOffline || parsed.GetValue(s_offline))
            return TellWhatIsHere(name, HubHere.Find(name, caches, revision, include), json);
        using HubClient client = new(settings, Wait);
        using Interrupt interrupt = new();
        try
        {
            PullResult result = PullMeter.Show(json, progress =>
                new HubPull(client, caches[0], settings.UsesLinks, progress).Run(name, revision, include, interrupt.Token)
                    .GetAwaiter().GetResult());
            Report(new PullReport($"{name}", result.Commit, result.Path, result.Files.Sum(file => file.Size), result.Fetched), json);
            return ExitCode.Ok;
        }
        catch (OperationCanceledException) when (interrupt.Token.IsCancellationRequested)
        {
            return Terminal.Error("interrupted; the same command goes on from here", ExitCode.Failed);
        }
    }

    static int TellWhatIsHere(HubName name, PullResult here, bool json)
    {
        if (json)
            foreach (HubFile file in here.Files)
                VerbJson.Write(new PulledFile(file.Path, file.Size, file.Hash));
        Report(new PullReport($"{name}", here.Commit, here.Path, here.Files.Sum(file => file.Size), here.Fetched), json);
        return ExitCode.Ok;
    }

    /// <summary>A wait that somebody may wonder about is told.</summary>
    static Task Wait(TimeSpan time, string why, CancellationToken cancellation)
    {
        if (time.TotalSeconds > 2)
            Terminal.Notes.WriteLine($"{why}; asked again in {time.TotalSeconds:0} s");
        return Task.Delay(time, cancellation);
    }

    static HubName Name(string text) => HubName.TryParse(text, out HubName? name) ? name
        : throw new UsageException(text.StartsWith(OllamaStore.Scheme, StringComparison.Ordinal)
            ? $"{Printable.Line(text, 256)}: `ollama pull` fetches that; here it runs in place"
            : $"NAME: saw {Printable.Quote(text)}, expected org/repo or org/repo:TYPE, as at huggingface.co");

    static void Report(PullReport report, bool json)
    {
        if (json)
            VerbJson.Write(report);
        else
        {
            Console.Out.WriteLine(report.Path);
            Terminal.Line($"{report.Name}: {ByteSize.Text(report.Bytes)}, "
                + (report.FetchedBytes == 0 ? "all of which was here" : $"{ByteSize.Text(report.FetchedBytes)} fetched"));
        }
    }
}

/// <summary>What <c>pull --json</c> prints last.</summary>
sealed record PullReport(string Name, string Commit, string Path, long Bytes, long FetchedBytes);

/// <summary>What <c>pull --json</c> prints of each file that is there.</summary>
sealed record PulledFile(string File, long Bytes, string Hash);
