using System.Globalization;
using System.Text.Json;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Scheduling;

public sealed class GenerationTests : IDisposable
{
    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly InferenceEngine _engine;

    public GenerationTests() => _engine = new InferenceEngine(_model, new EngineOptions { Context = 200 });

    public void Dispose()
    {
        _engine.AssertNothingLeased();
        _engine.Dispose();
        _model.Dispose();
    }

    GenerationResult Continue(Sequence sequence, GenerationOptions options, Action<string>? emit = null,
        CancellationToken? cancellation = null) =>
        _engine.Generate(sequence, options, emit ?? (_ => { }), cancellation ?? TestContext.Current.CancellationToken);

    Sequence Story()
    {
        Sequence sequence = _engine.NewSequence();
        sequence.Append(_model.Tokenizer.Encode("Once upon a time"));
        return sequence;
    }

    [Fact]
    public void What_is_emitted_is_the_text_of_the_tokens()
    {
        using Sequence sequence = Story();
        string emitted = "";
        GenerationResult result = Continue(sequence, new() { MaxTokens = 30 }, text => emitted += text);
        Assert.Equal(30, result.TokenIds.Count);
        Assert.Equal(FinishReason.Length, result.FinishReason);
        Assert.Equal(emitted, result.Text);
        Assert.Equal(_model.Tokenizer.Decode([.. result.TokenIds]), result.Text);
    }

    [Theory]
    [InlineData("""{"enum":["a","bc"]}""", "\"a\" \"bc\"")]
    [InlineData("""{"type":"integer","minimum":5,"maximum":31}""", "")]
    [InlineData("""{"const":1234}""", "1234")]
    public void Where_ends_are_ignored_a_text_that_can_only_end_ends(string schema, string expected)
    {
        for (ulong seed = 0; seed < 8; seed++)
        {
            using Sequence sequence = Story();
            GenerationResult result = Continue(sequence, new()
            {
                MaxTokens = 100,
                IgnoresEnds = true,
                Grammar = OutputGrammar.JsonSchema(JsonElement.Parse(schema)),
                Sampling = new() { Temperature = 2, Seed = seed },
            });
            Assert.Equal(FinishReason.Stop, result.FinishReason);
            if (expected.Length > 0)
                Assert.Contains(result.Text, expected.Split(' '));
            else
                Assert.InRange(int.Parse(result.Text, CultureInfo.InvariantCulture), 5, 31);
        }
    }

    [Fact]
    public void A_stop_string_over_several_tokens_ends_the_text_before_it()
    {
        using Sequence free = Story(), stopped = Story();
        string text = Continue(free, new() { MaxTokens = 30 }).Text;
        string stop = text[17..29];
        GenerationResult result = Continue(stopped, new() { MaxTokens = 30, Stops = [stop] });
        Assert.True(_model.Tokenizer.Encode(stop).Length > 1);
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], result.Text);
        Assert.Equal(FinishReason.Stop, result.FinishReason);
    }

    [Fact]
    public void The_context_is_used_to_its_end_and_not_beyond()
    {
        using Sequence sequence = _engine.NewSequence();
        sequence.Append([.. Enumerable.Repeat(272, 190)]);
        GenerationResult result = Continue(sequence, new() { Sampling = new() { Temperature = 2, Seed = 1 }, IgnoresEnds = true });
        Assert.Equal((FinishReason.Length, 10, 200), (result.FinishReason, result.TokenIds.Count, sequence.Tokens.Length));
    }

    [Fact]
    public void A_prompt_beyond_the_context_is_refused_with_the_numbers_and_nothing_changes()
    {
        using Sequence sequence = _engine.NewSequence();
        var e = Assert.Throws<ContextExceededException>(() => sequence.Append(new int[201]));
        Assert.Equal((201, 200, 4096), (e.Tokens, e.Context, e.Trained));
        Assert.Contains("201 tokens and the context holds 200", e.Message, StringComparison.Ordinal);
        Assert.True(sequence.Tokens.IsEmpty);
        sequence.Append(new int[200]); // fits, but nothing can follow
        Assert.Throws<ContextExceededException>(() => Continue(sequence, new()));
    }

    [Fact]
    public void Tokens_that_do_not_exist_and_empty_prompts_are_refused()
    {
        using Sequence sequence = _engine.NewSequence();
        Assert.Throws<ArgumentOutOfRangeException>(() => sequence.Append([_engine.Model.Config.Vocabulary]));
        Assert.Throws<ArgumentOutOfRangeException>(() => sequence.Append([-1]));
        Assert.Contains("the prompt is empty", Assert.Throws<ArgumentException>(() => Continue(sequence, new())).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_cancelled_generation_goes_on_as_if_it_had_not_been()
    {
        using Sequence whole = Story(), interrupted = Story();
        GenerationOptions lasting = new() { MaxTokens = 180, IgnoresEnds = true }; // so long that who reads may be late to cancel
        Continue(whole, lasting);
        using var source = new CancellationTokenSource();
        GenerationResult first = Continue(interrupted, lasting, _ => source.Cancel(), source.Token);
        Assert.Equal(FinishReason.Cancelled, first.FinishReason);
        Assert.InRange(first.TokenIds.Count, 1, 179);
        GenerationResult rest = Continue(interrupted, lasting with { MaxTokens = 180 - first.TokenIds.Count });
        Assert.Equal(first.PromptTokens + first.TokenIds.Count - 1, rest.ReusedTokens);
        Assert.Equal(1, rest.ComputedTokens);
        Assert.Equal(whole.Tokens.ToArray(), interrupted.Tokens.ToArray());
    }

    [Fact]
    public void Cancelling_before_the_first_token_leaves_a_prompt_that_can_be_completed_later()
    {
        using Sequence sequence = Story();
        GenerationResult nothing = Continue(sequence, new(), cancellation: new CancellationToken(canceled: true));
        Assert.Equal((FinishReason.Cancelled, 0), (nothing.FinishReason, nothing.TokenIds.Count));
        Assert.Equal((0, TimeSpan.Zero), (nothing.ComputedTokens, nothing.TimeToFirstToken));
        Assert.Equal(5, Continue(sequence, new() { MaxTokens = 5 }).TokenIds.Count);
    }

    [Fact]
    public void A_pool_without_room_says_so_and_recovers()
    {
        using Sequence first = _engine.NewSequence();
        first.Append(new int[150]);
        Continue(first, new() { MaxTokens = 1 });
        using Sequence second = _engine.NewSequence();
        second.Append(new int[100]);
        Assert.Contains("the pool has no room", Assert.Throws<InvalidOperationException>(
            () => Continue(second, new() { IgnoresEnds = true })).Message, StringComparison.Ordinal);
        _engine.Cache.Device.CheckConservation();
        first.Clear();
        Assert.Single(Continue(second, new() { MaxTokens = 1 }).TokenIds);
    }
}
