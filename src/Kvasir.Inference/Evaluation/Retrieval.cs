using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Inference.Evaluation;

/// <summary>
/// Whether a model finds facts in documents of saga's language: a document is the system message, each question a conversation of its own, and an answer is right if it is the expected one,
/// character for character. Of each document one fact of each tenth is asked for. A cache that loses what matters shows as wrong answers.
/// </summary>
/// <param name="engine">The engine; its cache serves a document's questions.</param>
/// <param name="seed">Start of the random numbers: equal seeds give equal documents and questions.</param>
public sealed class Retrieval(InferenceEngine engine, int seed)
{
    const string Instruction = "Answer from this saga.\n";
    const int MostAnswerTokens = 48;

    readonly ChatPrompts _prompts = new(engine.Model);

    /// <summary>Asks about documents of a number of facts.</summary>
    /// <param name="facts">Facts of each, at least 1.</param>
    /// <param name="documents">How many.</param>
    /// <param name="progress">Told the score so far after each document.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <exception cref="ContextExceededException">A document does not fit.</exception>
    public async Task<RetrievalResult> Ask(int facts, int documents, IProgress<Score>? progress = null, CancellationToken cancellation = default)
    {
        Tally tally = new(facts);
        for (int i = 0; i < documents; i++)
        {
            int number = unchecked(seed + i * 7919 + facts);
            SagaDocument document = new SagaGenerator(number).Document(facts);
            Asked[] asked = [.. Questions(document, new Random(number))];
            Completion[] completions = [.. asked.Select(each => Start(document, each.Question.Text, cancellation))];
            for (int k = 0; k < asked.Length; k++)
                tally.Add(asked[k], await completions[k].Result);
            cancellation.ThrowIfCancellationRequested();
            progress?.Report(tally.All);
        }
        return tally.Result();
    }

    /// <summary>One fact of each tenth of the document, or all if there are fewer.</summary>
    static IEnumerable<Asked> Questions(SagaDocument document, Random random)
    {
        int count = Math.Min(RetrievalResult.Deciles, document.Facts.Count);
        for (int i = 0; i < count; i++)
        {
            int from = i * document.Facts.Count / count, to = (i + 1) * document.Facts.Count / count, at = from + random.Next(to - from);
            SagaFact fact = document.Facts[at];
            yield return new Asked(fact.Questions[random.Next(fact.Questions.Count)], fact.Kind, at * RetrievalResult.Deciles / document.Facts.Count);
        }
    }

    Completion Start(SagaDocument document, string question, CancellationToken cancellation)
    {
        JsonArray messages = [Message("system", Instruction + document.Text), Message("user", question)];
        return engine.Start(_prompts.Encode(messages, tools: null, more: null), new GenerationOptions { MaxTokens = MostAnswerTokens }, cancellation: cancellation);
    }

    static JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };

    sealed record Asked(SagaQuestion Question, string Kind, int Decile);

    sealed class Tally(int facts)
    {
        readonly Score[] _deciles = new Score[RetrievalResult.Deciles];
        readonly SortedDictionary<string, Score> _kinds = new(StringComparer.Ordinal);
        long _prompts, _reused;
        int _longest;

        public Score All { get; private set; }

        public void Add(Asked asked, GenerationResult result)
        {
            bool isRight = result.Text.Trim() == asked.Question.Answer;
            All = All.With(isRight);
            _deciles[asked.Decile] = _deciles[asked.Decile].With(isRight);
            _kinds[asked.Kind] = _kinds.GetValueOrDefault(asked.Kind).With(isRight);
            (_prompts, _reused, _longest) = (_prompts + result.PromptTokens, _reused + result.ReusedTokens, Math.Max(_longest, result.PromptTokens));
        }

        public RetrievalResult Result() => new() { Facts = facts, LongestPrompt = _longest, All = All, ByDecile = _deciles, ByKind = _kinds, PromptTokens = _prompts, ReusedTokens = _reused };
    }
}
