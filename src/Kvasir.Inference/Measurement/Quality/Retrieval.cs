using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Retention;

namespace Kvasir.Inference.Measurement.Quality;

/// <summary>
/// Whether a model finds facts in documents of saga's language: a document is the system message, and an answer is right if it is the
/// expected one, character for character. Of each document one fact of each tenth is asked for, in a conversation of its own or all in one.
/// A cache that loses what matters shows as wrong answers.
/// </summary>
/// <param name="engine">The engine; its cache serves a document's questions.</param>
/// <param name="seed">Start of the random numbers: equal seeds give equal documents and questions.</param>
/// <param name="inOneConversation">Whether a question follows on the answers to those before it, as the model gave them.</param>
/// <param name="prompts">Writes conversations; as the model's own chat template says if null.</param>
/// <param name="retention">What is kept of the document's keys and values; null for all.</param>
/// <param name="aware">Whether the policy sees the question too, and keeps what that one needs; or the document alone.</param>
public sealed class Retrieval(InferenceEngine engine, int seed, bool inOneConversation = false, ChatPrompts? prompts = null,
    RetentionPolicy? retention = null, bool aware = false)
{
    const string Instruction = "Answer from this saga.\n";
    const int MostAnswerTokens = 48, TurnTokens = 48;

    readonly ChatPrompts _prompts = prompts ?? new ChatPrompts(engine.Model.Tokenizer);

    /// <summary>Asks about documents of a size.</summary>
    /// <param name="size">Size of each.</param>
    /// <param name="documents">How many.</param>
    /// <param name="progress">Told the score so far after each document.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <exception cref="ContextExceededException">A document does not fit.</exception>
    public async Task<RetrievalResult> Ask(DocumentSize size, int documents, IProgress<Score>? progress = null,
        CancellationToken cancellation = default)
    {
        Tally tally = new(size, retention, engine.Layout);
        for (int i = 0; i < documents; i++)
        {
            int number = unchecked(seed + i * 7919 + size.Count);
            SagaDocument document = Document(number, size);
            Asked[] asked = [.. Questions(document, new Random(number))];
            if (inOneConversation)
                await Converse(document, asked, tally, cancellation);
            else
                await AskEach(document, asked, tally, cancellation);
            cancellation.ThrowIfCancellationRequested();
            tally.EndDocument();
            progress?.Report(tally.All);
        }
        return tally.Result();
    }

    async Task AskEach(SagaDocument document, Asked[] asked, Tally tally, CancellationToken cancellation)
    {
        Completion[] completions = [.. asked.Select(each => Start([System(document), Message("user", each.Question.Text)], cancellation))];
        for (int k = 0; k < asked.Length; k++)
            tally.Add(asked[k], await completions[k].Result);
    }

    async Task Converse(SagaDocument document, Asked[] asked, Tally tally, CancellationToken cancellation)
    {
        JsonArray messages = [System(document)];
        foreach (Asked each in asked)
        {
            messages.Add((JsonNode)Message("user", each.Question.Text));
            GenerationResult result = await Start(messages, cancellation).Result;
            messages.Add((JsonNode)Message("assistant", result.Text));
            tally.Add(each, result);
        }
    }

    /// <summary>
    /// The document of a seed; for a number of tokens, with as many facts as leave room for the questions.
    /// Documents of one seed begin alike.
    /// </summary>
    SagaDocument Document(int number, DocumentSize size)
    {
        SagaDocument Of(int facts) => new SagaGenerator(number).Document(facts);
        if (size.Unit == DocumentUnit.Facts)
            return Of(size.Count);
        int room = size.Count - (inOneConversation ? RetrievalResult.Deciles : 1) * TurnTokens, fits = 1,
            tooMany = Math.Max(2, Math.Min(room, SagaGenerator.MostFacts) + 1);
        while (tooMany - fits > 1)
        {
            int middle = (fits + tooMany) / 2;
            bool isIn = _prompts.EncodeBeginning([System(Of(middle))]).Length <= room;
            (fits, tooMany) = isIn ? (middle, tooMany) : (fits, middle);
        }
        return Of(fits);
    }

    /// <summary>
    /// One fact of each tenth of the document, or all if there are fewer; in no order if they are asked one after another.
    /// </summary>
    Asked[] Questions(SagaDocument document, Random random)
    {
        int count = Math.Min(RetrievalResult.Deciles, document.Facts.Count);
        Asked[] asked = new Asked[count];
        for (int i = 0; i < count; i++)
        {
            int from = i * document.Facts.Count / count, to = (i + 1) * document.Facts.Count / count, at = from + random.Next(to - from);
            SagaFact fact = document.Facts[at];
            asked[i] = new Asked(fact.Questions[random.Next(fact.Questions.Count)], fact.Kind,
                at * RetrievalResult.Deciles / document.Facts.Count);
        }
        if (inOneConversation)
            random.Shuffle(asked);
        return asked;
    }

    Completion Start(JsonArray messages, CancellationToken cancellation)
    {
        int[] prompt = _prompts.Encode(messages);
        return engine.Start(prompt, new GenerationOptions { MaxTokens = MostAnswerTokens, Retention = Retention(messages, prompt) },
            cancellation: cancellation);
    }

    RetentionOptions? Retention(JsonArray messages, int[] prompt) => retention is null ? null : new(retention)
    {
        Prefix = aware ? null
            : _prompts.EncodeBeginning([messages[0]!.DeepClone()]).AsSpan().CommonPrefixLength(prompt),
    };

    static JsonObject System(SagaDocument document) => Message("system", Instruction + document.Text);

    static JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };

    sealed record Asked(SagaQuestion Question, string Kind, int Decile);

    sealed class Tally(DocumentSize size, RetentionPolicy? policy, KvLayout layout)
    {
        readonly List<Score> _documents = [];
        Score _before;
        double _bytes;
        readonly Score[] _deciles = new Score[RetrievalResult.Deciles];
        readonly SortedDictionary<string, Score> _kinds = new(StringComparer.Ordinal);
        long _prompts, _reused, _pages, _pagesRead;
        int _longest;

        public Score All { get; private set; }

        public void Add(Asked asked, GenerationResult result)
        {
            bool isRight = result.Text.Trim() == asked.Question.Answer;
            All = All.With(isRight);
            _deciles[asked.Decile] = _deciles[asked.Decile].With(isRight);
            _kinds[asked.Kind] = _kinds.GetValueOrDefault(asked.Kind).With(isRight);
            _bytes += result.Kv.Retention?.View is { } view
                ? (double)view.Bytes / view.Positions : (double)layout.StrideBytes / layout.BlockTokens;
            if (result.Kv.Retention?.Pages is { Use: var pages })
                (_pages, _pagesRead) = (_pages + pages.Seen, _pagesRead + pages.Read);
            (_prompts, _reused, _longest) =
                (_prompts + result.PromptTokens, _reused + result.ReusedTokens, Math.Max(_longest, result.PromptTokens));
        }

        public void EndDocument()
        {
            _documents.Add(new Score(All.Right - _before.Right, All.Asked - _before.Asked));
            _before = All;
        }

        public RetrievalResult Result() => new()
        {
            Policy = policy?.ToString(), ByDocument = _documents, BytesPerToken = _bytes / Math.Max(1, All.Asked),
            Size = size, LongestPrompt = _longest, All = All, ByDecile = _deciles, ByKind = _kinds,
            PagesRead = _pages == 0 ? null : (double)_pagesRead / _pages, PromptTokens = _prompts, ReusedTokens = _reused,
        };
    }
}
