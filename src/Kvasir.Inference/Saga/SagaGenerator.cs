using System.Text;
using static Kvasir.Inference.Saga.SagaWords;

namespace Kvasir.Inference.Saga;

/// <summary>
/// Makes documents, questions and stories in the synthetic language on which the embedded model was trained. Equal seeds give equal texts,
/// on every machine. The source of texts for tests and benchmarks: as long as wanted, with answers known.
/// </summary>
/// <param name="seed">Start of the random numbers.</param>
public sealed class SagaGenerator(int seed)
{
    /// <summary>A document never answers a question twice; beyond this many facts, new questions become hard to find.</summary>
    public const int MostFacts = 6000;

    readonly Random _random = new(seed); // seeded: the algorithm is fixed for all versions of .NET

    /// <summary>A document with this many facts, 1 to <see cref="MostFacts"/>.</summary>
    public SagaDocument Document(int facts) => Document(facts, kind: null, cast: null);

    /// <summary>
    /// A document all of whose facts are of a kind or about a cast of names, of which there must be enough: a lesson
    /// in what is hard to tell apart.
    /// </summary>
    internal SagaDocument Document(int facts, string? kind, IReadOnlyList<string>? cast)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(facts, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(facts, MostFacts);
        HashSet<string> stated = [];
        List<SagaFact> list = [];
        StringBuilder text = new();
        double weather = _random.NextDouble() * 0.4;
        int inParagraph = 0;
        while (list.Count < facts)
        {
            if (_random.NextDouble() < weather)
                text.Append(Pick(Weather)).Append(' ');
            list.Add(NewFact(stated, kind, cast));
            text.Append(list[^1].Text);
            bool paragraphEnds = ++inParagraph >= 4 + _random.Next(5);
            text.Append(paragraphEnds ? '\n' : ' ');
            inParagraph = paragraphEnds ? 0 : inParagraph;
        }
        return new SagaDocument(text.ToString().TrimEnd(), list);
    }

    /// <summary>Questions about a document, each about a fact drawn at random.</summary>
    public IReadOnlyList<SagaQuestion> Questions(SagaDocument document, int count)
    {
        ArgumentNullException.ThrowIfNull(document);
        return [.. Enumerable.Range(0, count).Select(_ => Pick(Pick(document.Facts).Questions))];
    }

    /// <summary>A little story.</summary>
    public string Story() => new SagaStory(_random).Tell();

    T Pick<T>(IReadOnlyList<T> list) => list[_random.Next(list.Count)];

    // Draws until a fact comes whose question was not answered before.
    SagaFact NewFact(HashSet<string> stated, string? kind, IReadOnlyList<string>? cast)
    {
        while (true)
        {
            (string subject, SagaFact fact) = DrawFact(cast ?? Names);
            if ((kind ?? fact.Kind) == fact.Kind && stated.Add(subject))
                return fact;
        }
    }

    (string Subject, SagaFact Fact) DrawFact(IReadOnlyList<string> names)
    {
        string name = Pick(names), place = Pick(Places);
        return _random.Next(8) switch
        {
            0 or 1 => Keeps(name, Pick(Objects), Pick(Colors), place),
            2 or 3 => Code(place),
            4 => Relation(name, Pick(Names), Pick(Relations)),
            5 => Job(name, Pick(Jobs)),
            6 => Has(name, Pick(Animals), Pick(Numbers)),
            _ => _random.Next(2) == 0 ? Eats(name, Pick(Foods)) : Walks(name, place, Pick(Days)),
        };
    }

    static (string, SagaFact) Keeps(string name, string item, string color, string place) =>
        ($"object {name} {item}", new("object", $"{name} keeps {WithArticle(color)} {item} in {place}.",
        [
            new($"Where does {name} keep the {item}?", $"{name} keeps the {color} {item} in {place}."),
            new($"What color is the {item} of {name}?", $"The {item} of {name} is {color}."),
        ]));

    (string, SagaFact) Code(string place)
    {
        string answer = $"The code of {place} is {_random.Next(1000, 10000)}.";
        return ($"code {place}", new("code", answer, [new($"What is the code of {place}?", answer)]));
    }

    static (string, SagaFact) Relation(string name, string other, string relation)
    {
        other = other == name ? Names[(Array.IndexOf(Names, name) + 1) % Names.Length] : other; // nobody is their own brother
        return ($"relation {other} {relation}", new("relation", $"{name} is the {relation} of {other}.",
            [new($"Who is the {relation} of {other}?", $"The {relation} of {other} is {name}.")]));
    }

    static (string, SagaFact) Job(string name, string job)
    {
        string answer = $"{name} works as {WithArticle(job)}.";
        return ($"job {name}", new("job", answer, [new($"What is the job of {name}?", answer)]));
    }

    static (string, SagaFact) Has(string name, string animals, string number)
    {
        string answer = $"{name} has {number} {animals}.";
        return ($"animals {name} {animals}", new("animals", answer, [new($"How many {animals} does {name} have?", answer)]));
    }

    static (string, SagaFact) Eats(string name, string food)
    {
        string answer = $"{name} likes to eat {food}.";
        return ($"food {name}", new("food", answer, [new($"What does {name} like to eat?", answer)]));
    }

    static (string, SagaFact) Walks(string name, string place, string day)
    {
        string answer = $"{name} walks to {place} every {day}.";
        return ($"walk {name}", new("walk", answer,
        [
            new($"When does {name} walk to {place}?", answer),
            new($"Where does {name} walk every {day}?", answer),
        ]));
    }

    internal static string WithArticle(string word) => ("aeiou".Contains(word[0], StringComparison.Ordinal) ? "an " : "a ") + word;
}
