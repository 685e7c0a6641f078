using System.CommandLine;
using Kvasir.Inference.Saga;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir sample-document</c>: a document whose facts are known, to try things with.</summary>
sealed class SampleDocumentVerb
{
    static readonly Option<int> s_facts = new("--facts") { Description = $"How many facts it states, 1 to {SagaGenerator.MostFacts}", DefaultValueFactory = _ => 10, CustomParser = Number.Parse<int>, HelpName = "N" };
    static readonly Option<int> s_seed = new("--seed") { Description = "Equal seeds give equal documents", DefaultValueFactory = _ => 0, CustomParser = Number.Parse<int>, HelpName = "S" };
    static readonly Option<int> s_questions = new("--questions") { Description = "Add this many questions with their answers, a JSON object a line", DefaultValueFactory = _ => 0, CustomParser = Number.Parse<int>, HelpName = "K" };
    static readonly Option<bool> s_json = new("--json") { Description = "Print document and questions as one JSON object" };

    public static Command Create()
    {
        Command verb = new("sample-document", "Print a document in saga's language") { s_facts, s_seed, s_questions, s_json };
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        (int facts, int count) = (parsed.GetValue(s_facts), parsed.GetValue(s_questions));
        if (facts is < 1 or > SagaGenerator.MostFacts)
            throw new UsageException($"--facts {facts}: expected 1 to {SagaGenerator.MostFacts}");
        if (count is < 0 or > 1_000_000)
            throw new UsageException($"--questions {count}: expected 0 to 1000000");
        SagaGenerator generator = new(parsed.GetValue(s_seed));
        SagaDocument document = generator.Document(facts);
        SampleQuestion[] questions = [.. generator.Questions(document, count).Select(asked => new SampleQuestion(asked.Text, asked.Answer))];
        if (parsed.GetValue(s_json))
            Json.Write(new SampleReport(parsed.GetValue(s_seed), facts, document.Text, questions));
        else
            Print(document, questions);
        return CommandLineRunner.Ok;
    }

    static void Print(SagaDocument document, SampleQuestion[] questions)
    {
        Console.Out.WriteLine(document.Text);
        if (questions.Length > 0)
            Console.Out.WriteLine();
        foreach (SampleQuestion question in questions)
            Json.Write(question);
    }
}

sealed record SampleReport(int Seed, int Facts, string Document, IReadOnlyList<SampleQuestion> Questions);

sealed record SampleQuestion(string Question, string Answer);
