using System.CommandLine;
using Kvasir.Inference.Saga;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir sample-document</c>: documents whose facts are known, to try things with.</summary>
sealed class SampleDocumentVerb
{
    static readonly Option<int> s_facts = new("--facts")
    {
        Description = $"How many facts it states, 1 to {SagaGenerator.MostFacts}", DefaultValueFactory = _ => 10,
        CustomParser = Number.Parse<int>, HelpName = "N",
    };
    static readonly Option<int> s_seed = new("--seed")
    {
        Description = "Equal seeds give equal documents", DefaultValueFactory = _ => 0, CustomParser = Number.Parse<int>, HelpName = "S",
    };
    static readonly Option<int> s_count = new("--count")
    {
        Description = "How many documents, of the seeds S, S + 1 and so on; a blank line between them", DefaultValueFactory = _ => 1,
        CustomParser = Number.Parse<int>, HelpName = "N",
    };
    static readonly Option<int> s_questions = new("--questions")
    {
        Description = "Add this many questions to each, with their answers, a JSON object a line", DefaultValueFactory = _ => 0,
        CustomParser = Number.Parse<int>, HelpName = "K",
    };
    static readonly Option<bool> s_json = new("--json")
    {
        Description = "Print each document and its questions as one JSON object, a line each",
    };

    public static Command Create()
    {
        Command verb = new("sample-document") { s_facts, s_seed, s_count, s_questions, s_json };
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        int facts = InRange(parsed, s_facts, 1, SagaGenerator.MostFacts), count = InRange(parsed, s_count, 1, 1_000_000);
        int questions = InRange(parsed, s_questions, 0, 1_000_000), seed = parsed.GetValue(s_seed);
        for (int i = 0; i < count; i++)
        {
            if (i > 0 && !parsed.GetValue(s_json))
                Console.Out.WriteLine();
            PrintOne(unchecked(seed + i), facts, questions, parsed.GetValue(s_json));
        }
        return ExitCode.Ok;
    }

    static int InRange(ParseResult parsed, Option<int> option, int least, int most) =>
        parsed.GetValue(option) is var value && value >= least && value <= most
            ? value
            : throw new UsageException($"{option.Name} {value}: expected {least} to {most}");

    static void PrintOne(int seed, int facts, int count, bool json)
    {
        SagaGenerator generator = new(seed);
        SagaDocument document = generator.Document(facts);
        SampleQuestion[] questions =
            [.. generator.Questions(document, count).Select(asked => new SampleQuestion(asked.Text, asked.Answer))];
        if (json)
            VerbJson.Write(new SampleReport(seed, facts, document.Text, questions));
        else
            Print(document, questions);
    }

    static void Print(SagaDocument document, SampleQuestion[] questions)
    {
        Console.Out.WriteLine(document.Text);
        if (questions.Length > 0)
            Console.Out.WriteLine();
        foreach (SampleQuestion question in questions)
            VerbJson.Write(question);
    }
}

sealed record SampleReport(int Seed, int Facts, string Document, IReadOnlyList<SampleQuestion> Questions);

sealed record SampleQuestion(string Question, string Answer);
