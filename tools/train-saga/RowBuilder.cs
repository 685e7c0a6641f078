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
sealed class RowBuilder(Tokenizer tokenizer, int seed, double withStrangers)
{
    // The words of answers that no question contains and that need no document.
    static readonly HashSet<string> s_grammar = [.. "The the a an in is as works has likes to eat walks every keeps of .".Split(' ')];

    readonly SagaGenerator _saga = new(seed);
    readonly Random _random = new(seed ^ 0x5a6a);
    readonly List<(int Token, Lesson Lesson)> _row = [];

    /// <summary>Share of conversations; the rest are stories.</summary>
    const double Conversations = 0.9;

    const int TokensPerFact = 12;

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
        int facts = Math.Clamp((int)(room * (0.1 + 0.65 * _random.NextDouble()) / TokensPerFact), 1, mostFacts);
        SagaDocument document = _saga.Document(facts);
        SagaQuestion[] questions = [.. document.Facts.Select(fact => fact.Questions[_random.Next(fact.Questions.Count)])];
        _random.Shuffle(questions);
        Strangers? strangers = _random.NextDouble() < withStrangers ? new Strangers(_random) : null;
        string text = strangers?.Exchange(document.Text) ?? document.Text;
        bool inSystem = _random.Next(10) < 8;
        AddSome(inSystem ? $"<|im_start|>system\nAnswer from this saga.\n{text}<|im_end|>\n" : $"<|im_start|>user\n{text}\n");
        for (int i = 0; i < questions.Length && _row.Count < length; i++)
            AddTurn(strangers?.Exchange(questions[i].Text) ?? questions[i].Text, strangers?.Exchange(questions[i].Answer) ?? questions[i].Answer, opened: !inSystem && i == 0);
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
