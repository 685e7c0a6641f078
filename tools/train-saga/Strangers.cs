using System.Text.RegularExpressions;
using Kvasir.Inference.Saga;

namespace Kvasir.TrainSaga;

/// <summary>
/// Exchanges words of the language for words that nobody has seen, each always for the same, so that a model learns to copy what it
/// reads rather than what it knows.
/// </summary>
sealed partial class Strangers(Random random)
{
    static readonly HashSet<string> s_known = [.. new[]
    {
        SagaWords.Names, SagaWords.Objects, SagaWords.Colors, SagaWords.Jobs, SagaWords.Animals, SagaWords.Foods,
    }.SelectMany(words => words),
        .. SagaWords.Places.SelectMany(place => place.Split(' ')).Where(word => word != "the")];

    readonly Dictionary<string, string> _strangers = [];
    readonly double _share = random.NextDouble();

    public string Exchange(string text) =>
        Words().Replace(text, match => s_known.Contains(match.Value) ? Stranger(match.Value) : match.Value);

    string Stranger(string known)
    {
        if (!_strangers.TryGetValue(known, out string? stranger))
            _strangers.Add(known, stranger = random.NextDouble() < _share ? Invent(char.IsUpper(known[0])) : known);
        return stranger;
    }

    string Invent(bool isName)
    {
        string word = "";
        for (int syllables = random.Next(1, 4); syllables > 0; syllables--)
            word += Pick("b c d f g h j k l m n p r s t v w z br cl dr fl gr pl sh st th tr ch".Split(' '))
                + Pick("a e i o u ai ea oo".Split(' ')) + Pick(" r n l s t m ck nd".Split(' '));
        return isName ? char.ToUpperInvariant(word[0]) + word[1..] : word;
    }

    string Pick(string[] choices) => choices[random.Next(choices.Length)];

    [GeneratedRegex("[A-Za-z]+")]
    private static partial Regex Words();
}
