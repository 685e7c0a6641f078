using Kvasir.Inference;
using Kvasir.Inference.Saga;

namespace Kvasir.Tests.Saga;

public class SagaGeneratorTests
{
    [Fact]
    public void Equal_seeds_give_equal_texts_and_others_do_not()
    {
        Assert.Equal(new SagaGenerator(7).Document(30).Text, new SagaGenerator(7).Document(30).Text);
        Assert.Equal(new SagaGenerator(7).Story(), new SagaGenerator(7).Story());
        Assert.NotEqual(new SagaGenerator(7).Document(30).Text, new SagaGenerator(8).Document(30).Text);
    }

    /// <summary>Pinned: results of tests and benchmarks on generated documents stay comparable over versions.</summary>
    [Fact]
    public void The_first_document_is_always_the_same() =>
        Assert.Equal("It rained until the evening. Ivar keeps a black candle in the library. Kari walks to the wooden dock every Wednesday. Una likes to eat butter. "
            + "The stars were very bright. Dag keeps a golden mask in the high cliff. Ivar has twelve dogs.",
            new SagaGenerator(12).Document(5).Text);

    [Theory]
    [InlineData(1)]
    [InlineData(400)]
    [InlineData(SagaGenerator.MostFacts)]
    public void A_document_states_its_facts_and_never_answers_a_question_twice(int facts)
    {
        SagaDocument document = new SagaGenerator(3).Document(facts);
        Assert.Equal(facts, document.Facts.Count);
        Assert.All(document.Facts, fact => Assert.Contains(fact.Text, document.Text, StringComparison.Ordinal));
        string[] questions = [.. document.Facts.SelectMany(fact => fact.Questions).Select(question => question.Text)];
        Assert.Equal(questions.Length, questions.Distinct().Count());
    }

    [Fact]
    public void The_embedded_model_knows_every_word_of_it()
    {
        using var model = LanguageModel.Load(SagaModel.Path);
        var generator = new SagaGenerator(5);
        string text = generator.Document(200).Text + generator.Story();
        Assert.Equal(text, model.Tokenizer.Decode(model.Tokenizer.Encode(text)));
        Assert.InRange(model.Tokenizer.Encode(text).Length, 1, text.Length / 3);
    }
}
