using System.Text.Json.Nodes;
using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Templates;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Chat;

/// <summary>A chat's tokens are those of its texts, and what was computed of them is not computed again.</summary>
public sealed class ConversationTests : IDisposable
{
    const string System = "Answer from this saga.\nFinn has ten rabbits. Rolf works as a baker.";
    const string Rabbits = "How many rabbits does Finn have?", Job = "What is the job of Rolf?";

    static readonly GenerationOptions s_short = new() { MaxTokens = 20 };

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly InferenceEngine _engine;
    readonly ChatPrompts _prompts;

    public ConversationTests()
    {
        _engine = new InferenceEngine(_model, new EngineOptions { Context = 200 });
        _prompts = new ChatPrompts(_model.Tokenizer);
    }

    public void Dispose()
    {
        _engine.AssertNothingLeased();
        _engine.Dispose();
        _model.Dispose();
    }

    static GenerationResult Say(Conversation conversation, string message, GenerationOptions? options = null) =>
        conversation.Say(message, options ?? s_short, _ => { }, TestContext.Current.CancellationToken);

    static ChatTranscript Transcript(params (string Role, string Content)[] turns)
    {
        ChatTranscript transcript = new();
        foreach ((string role, string content) in turns)
            transcript.Add(role, content);
        return transcript;
    }

    [Fact]
    public void Each_turn_is_computed_once_and_reads_like_a_whole_transcript()
    {
        using var conversation = new Conversation(_engine, _prompts, System);
        GenerationResult first = Say(conversation, Rabbits), second = Say(conversation, Job);
        Assert.Equal(first.PromptTokens + first.TokenIds.Count, second.ReusedTokens); // generated ones included

        ChatTranscript said = Transcript(("system", System), ("user", Rabbits), ("assistant", first.Text), ("user", Job));
        int[] transcript = _prompts.Encode(said.Messages);
        Assert.Equal(transcript, conversation.Tokens[..second.PromptTokens]);
        conversation.Reset();
        Assert.False(conversation.HasBegun);
        using Sequence whole = _engine.NewSequence();
        whole.Append(transcript);
        Assert.Equal(second.TokenIds, _engine.Generate(whole, s_short, _ => { }, TestContext.Current.CancellationToken).TokenIds);
    }

    [Fact]
    public void A_conversation_that_goes_on_in_another_one_has_the_same_tokens()
    {
        using var held = new Conversation(_engine, _prompts, System);
        GenerationResult first = Say(held, Rabbits);
        Say(held, Job);
        using var resumed = new Conversation(_engine, _prompts, "Not this.");
        resumed.Resume(Transcript(("system", System), ("user", Rabbits), ("assistant", first.Text)));
        GenerationResult again = Say(resumed, Job);
        Assert.Equal(held.Tokens, resumed.Tokens);
        Assert.Equal(again.PromptTokens - 1, again.ReusedTokens);
        Assert.Throws<InvalidOperationException>(() => resumed.Resume(new ChatTranscript()));
    }

    [Fact]
    public void An_answer_whose_text_has_other_tokens_than_were_generated_is_read_as_its_text()
    {
        int others = 0;
        for (ulong seed = 0; seed < 20; seed++)
        {
            SamplingOptions anything = new() { Temperature = 50, TopK = 0, TopP = 1, MinP = 0, Seed = seed };
            GenerationOptions wild = new() { MaxTokens = 40, IgnoresEnds = true, Sampling = anything };
            using var conversation = new Conversation(_engine, _prompts);
            GenerationResult first = Say(conversation, Job, wild), second = Say(conversation, "Again?", new() { MaxTokens = 1 });
            int[] transcript = _prompts.Encode(Transcript(("user", Job), ("assistant", first.Text), ("user", "Again?")).Messages);
            Assert.Equal(transcript, conversation.Tokens[..second.PromptTokens]);
            int[] generated = [.. first.TokenIds];
            int common = transcript.AsSpan(first.PromptTokens).CommonPrefixLength(generated);
            others += common < generated.Length ? 1 : 0;
            Assert.InRange(second.ReusedTokens, first.PromptTokens + common - 1, first.PromptTokens + common);
        }
        Assert.InRange(others, 1, 20);
    }

    [Fact]
    public void Turns_that_the_template_writes_differently_later_are_computed_from_there_on()
    {
        var forgetful = new ChatPrompts(
            _model.Tokenizer, "{% for m in messages %}{{ '\n' ~ m.role ~ ' ' ~ (m.content if m.role == 'user' else '…') }}{% endfor %}");
        using var conversation = new Conversation(_engine, forgetful);
        GenerationResult first = Say(conversation, Rabbits), second = Say(conversation, Job);
        int[] expected = forgetful.Encode(Transcript(("user", Rabbits), ("assistant", first.Text), ("user", Job)).Messages);
        Assert.Equal(expected, conversation.Tokens[..second.PromptTokens]);
        Assert.InRange(second.ReusedTokens, first.PromptTokens - 1, first.PromptTokens);
    }

    [Fact]
    public void A_turn_that_does_not_fit_or_is_refused_leaves_the_conversation_as_it_was()
    {
        var strict = new ChatPrompts(
            _model.Tokenizer, "{% for m in messages %}{{ raise_exception('No') if 'forbidden' in m.content else m.content }}.{% endfor %}");
        using var conversation = new Conversation(_engine, strict);
        Say(conversation, "Who are you?", new() { MaxTokens = 10 });
        int[] before = conversation.Tokens.ToArray();
        var tooLong = Assert.Throws<ContextExceededException>(() => Say(conversation, new string('x', 500)));
        Assert.True(tooLong.Tokens > 200);
        Assert.Throws<TemplateException>(() => Say(conversation, "forbidden"));
        Assert.Equal(before, conversation.Tokens);
        GenerationResult next = Say(conversation, "Who are you?", new() { MaxTokens = 10 });
        Assert.DoesNotContain("x", _model.Tokenizer.Decode(conversation.Tokens[..next.PromptTokens]), StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_that_was_interrupted_stays_as_far_as_it_came()
    {
        using var conversation = new Conversation(_engine, _prompts);
        GenerationOptions endless = new() { MaxTokens = 100, IgnoresEnds = true };
        GenerationResult first = Interrupted();
        for (int again = 0; first.FinishReason == FinishReason.Length && again < 20; again++)
        {
            // a busy machine told of the first token when the last had come
            conversation.Reset();
            first = Interrupted();
        }
        Assert.Equal(FinishReason.Cancelled, first.FinishReason);
        GenerationResult second = Say(conversation, "Go on");
        JsonArray transcript = Transcript(("user", "Who are you?"), ("assistant", first.Text), ("user", "Go on")).Messages;
        Assert.Equal(_prompts.Encode(transcript), conversation.Tokens[..second.PromptTokens]);

        GenerationResult Interrupted()
        {
            using var source = new CancellationTokenSource();
            return conversation.Say("Who are you?", endless, _ => source.Cancel(), source.Token);
        }
    }
}
