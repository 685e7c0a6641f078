using Kvasir.Inference.Saga;
using Kvasir.Inference.Tokenization;

namespace Kvasir.TrainSaga;

/// <summary>What a token teaches; the trainer weighs its loss accordingly.</summary>
enum Lesson : ushort
{
    /// <summary>Read only.</summary>
    None = 0,

    /// <summary>The language: a story, and some tokens of documents and questions.</summary>
    Language = 1,

    /// <summary>A word of an answer that the question or the grammar gives.</summary>
    Answer = 2,

    /// <summary>A word of an answer that only the document gives.</summary>
    Retrieved = 3,
}

/// <summary>Fills rows of a length with conversations about documents and with stories, and marks what each token teaches.</summary>
/// <param name="tokenizer">The vocabulary.</param>
/// <param name="seed">Start of the random numbers.</param>
/// <param name="withStrangers">Share of documents with words that nobody has seen.</param>
/// <param name="families">Share of documents that tell of nothing but relations: their answers turn the sentence
/// around, which is learnt last.</param>
/// <param name="households">Share of documents in which a few people keep many things: which color is whose is told by
/// name and thing together.</param>
sealed class RowBuilder(Tokenizer tokenizer, int seed, double withStrangers, double families, double households)
{
    // The words of answers that no question contains and that need no document.
    static readonly HashSet<string> s_grammar = [.. "The the a an in is as works has likes to eat walks every keeps of .".Split(' ')];

    readonly SagaGenerator _saga = new(seed);
    readonly Random _random = new(seed ^ 0x5a6a);
    readonly List<(int Token, Lesson Lesson)> _row = [];

    /// <summary>Share of conversations; the rest are stories.</summary>
    const double Conversations = 0.9;

    /// <summary>Of the room that is left in a row, at most so much is document: the rest is for its questions.</summary>
    const double LongestDocument = 0.9;

    const int TokensPerFact = 12, MostThings = 40;

    /// <summary>A row: tokens in the lower 12 bits, the lesson of each in the upper 4.</summary>
    public ReadOnlySpan<ushort> Build(int length, int mostFacts)
    {
        _row.Clear();
        while (_row.Count < length)
        {
            if (_random.NextDouble() < Conversations)
                AddConversation(length, mostFacts);
            else
                Add(_saga.Story(), Lesson.Language);
            Add("<|endoftext|>", Lesson.Language);
        }
        return _row.Take(length).Select(entry => (ushort)(entry.Token | (int)entry.Lesson << 12)).ToArray();
    }

    void AddConversation(int length, int mostFacts)
    {
        int room = length - _row.Count;
        int most = Math.Clamp((int)(room * LongestDocument) / TokensPerFact, 1, mostFacts);
        // many short ones among the long
        int facts = _random.Next(2) == 0 ? _random.Next(1, most + 1) : (int)Math.Round(Math.Pow(most, _random.NextDouble()));
        SagaDocument document = NewDocument(facts, out bool isHousehold);
        SagaQuestion[] questions = [.. document.Facts.Select(fact => fact.Questions[_random.Next(fact.Questions.Count)])];
        string? things = isHousehold ? StraightenThings(document, questions) : null;
        _random.Shuffle(questions);
        Strangers? strangers = _random.NextDouble() < withStrangers ? new Strangers(_random) : null;
        string said = things ?? Straighten(document);
        string text = strangers?.Exchange(said) ?? said;
        bool inSystem = _random.Next(10) < 8;
        AddSome(inSystem ? $"<|im_start|>system\nAnswer from this saga.\n{text}<|im_end|>\n" : $"<|im_start|>user\n{text}\n");
        for (int i = 0; i < questions.Length && _row.Count < length; i++)
            AddTurn(strangers?.Exchange(questions[i].Text) ?? questions[i].Text,
                strangers?.Exchange(questions[i].Answer) ?? questions[i].Answer, opened: !inSystem && i == 0);
    }

    SagaDocument NewDocument(int facts, out bool isHousehold)
    {
        double kind = _random.NextDouble();
        isHousehold = kind >= families && kind < families + households;
        if (kind < families)
            return _saga.Document(facts, "relation", cast: null);
        if (!isHousehold)
            return _saga.Document(facts);
        string[] cast = _random.GetItems(SagaWords.Names, 1 + _random.Next(1 + facts / 2)); // names may come twice
        return _saga.Document(Math.Min(facts, cast.Distinct().Count() * MostThings), "object", cast);
    }

    // Some relations are told in the order of their question: from "The friend of Ulf is Odd." it is a smaller step
    // to "Odd is the friend of Ulf."
    string Straighten(SagaDocument document) =>
        document.Facts.Where(fact => fact.Kind == "relation" && _random.Next(4) == 0)
            .Aggregate(document.Text, (text, fact) => text.Replace(fact.Text, fact.Questions[0].Answer, StringComparison.Ordinal));

    // Half of the things are told as "The lamp of Einar is red.", and then only that is asked.
    string StraightenThings(SagaDocument document, SagaQuestion[] questions)
    {
        string text = document.Text;
        for (int i = 0; i < questions.Length; i++)
            if (_random.Next(2) == 0)
            {
                questions[i] = document.Facts[i].Questions[^1];
                text = text.Replace(document.Facts[i].Text, questions[i].Answer, StringComparison.Ordinal);
            }
        return text;
    }

    void AddTurn(string question, string answer, bool opened)
    {
        AddSome($"{(opened ? "" : "<|im_start|>user\n")}{question}<|im_end|>\n<|im_start|>assistant\n");
        foreach (int token in tokenizer.Encode(answer))
        {
            string word = tokenizer.Decode([token]).Trim();
            bool given = s_grammar.Contains(word) || question.Contains(word, StringComparison.Ordinal);
            _row.Add((token, given ? Lesson.Answer : Lesson.Retrieved));
        }
        Add("<|im_end|>", Lesson.Answer);
        AddSome("\n");
    }

    void Add(string text, Lesson lesson)
    {
        foreach (int token in tokenizer.EncodeTemplate(text))
            _row.Add((token, lesson));
    }

    // Documents and questions are noise to predict: a quarter of them is enough to learn their grammar.
    void AddSome(string text)
    {
        foreach (int token in tokenizer.EncodeTemplate(text))
            _row.Add((token, _random.Next(4) == 0 ? Lesson.Language : Lesson.None));
    }
}
