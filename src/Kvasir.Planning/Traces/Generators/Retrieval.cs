namespace Kvasir.Planning.Traces.Generators;

/// <summary>
/// Questions behind documents that were looked up, in whatever order: the same documents in another order are another prefix.
/// </summary>
static class Retrieval
{
    public static Workload Workload { get; } = new("rag",
        "questions behind documents that were looked up: the same ones in another order share no prefix",
    [
        new("documents", 500, 1, 1e6, "documents that there are"),
        new("zipf", 0.8, 0, 8, "how much more popular the first are: weights 1/rank^zipf", IsWhole: false),
        new("pick", 5, 1, 100, "documents of a prompt, at most all"),
        new("shuffle", 1, 0, 1, "share of prompts whose documents stand in random order; in the others, the more popular first",
            IsWhole: false),
        new("document", 800, 1, 1e7, "mean tokens of a document, uniform from half to one and a half"),
        new("requests", 2000, 1, RequestList.MostRequests, "requests"),
        new("rate", 1, 0.001, 1e6, "requests a second, with exponential pauses", IsWhole: false),
        new("system", 500, 0, 1e7, "tokens of the system prompt"),
        new("question", 60, 1, 1e7, "mean tokens of a question, likewise"),
        new("answer", 250, 0, 1e7, "mean tokens of an answer, likewise"),
        new("seed", 1, 0, int.MaxValue, "start of the random numbers"),
    ], Generate);

    static void Generate(WorkloadSettings settings, RequestList requests)
    {
        RandomDraws draws = settings.Draws();
        int[] lengths = [.. Enumerable.Range(0, settings.Whole("documents")).Select(_ => draws.Tokens(settings["document"]))];
        var popularity = new Zipf(lengths.Length, settings["zipf"]);
        var prefixes = new Prefix(requests.NewText().Append(settings.Whole("system")));
        TimeSpan now = TimeSpan.Zero;
        for (int i = 0; i < settings.Whole("requests"); i++, now += draws.Pause(1 / settings["rate"]))
        {
            List<int> picked = Pick(draws, popularity, Math.Min(settings.Whole("pick"), lengths.Length));
            if (draws.Uniform() >= settings["shuffle"])
                picked.Sort();
            Prefix prefix = picked.Aggregate(prefixes, (before, document) => before.Then(document, lengths[document]));
            requests.Ask(now, prefix.Text.Copy().Append(draws.Tokens(settings["question"])), draws.Tokens(settings["answer"]));
        }
    }

    /// <summary>Different documents in random order. Those that are popular come soon, so the order is drawn once more.</summary>
    static List<int> Pick(RandomDraws draws, Zipf popularity, int count)
    {
        List<int> picked = [];
        while (picked.Count < count)
        {
            int document = popularity.Draw(draws);
            for (int tries = 0; tries < 100 && picked.Contains(document); tries++)
                document = popularity.Draw(draws);
            while (picked.Contains(document)) // where one is nearly certain, the next in rank
                document = (document + 1) % popularity.Count;
            picked.Insert(draws.Below(picked.Count + 1), document);
        }
        return picked;
    }

    /// <summary>A text and those that documents have made of it.</summary>
    sealed class Prefix(GrowingText text)
    {
        readonly Dictionary<int, Prefix> _next = [];

        public GrowingText Text => text;

        public Prefix Then(int document, int tokens)
        {
            if (!_next.TryGetValue(document, out Prefix? next))
                _next.Add(document, next = new Prefix(text.Copy().Append(tokens)));
            return next;
        }
    }
}
