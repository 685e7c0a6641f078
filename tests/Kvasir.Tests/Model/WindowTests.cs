using Kvasir.Formats.Gguf;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Model;

public class WindowTests
{
    static readonly int[] s_prompt = [.. Enumerable.Range(0, 60).Select(i => i * 31 % 256)];

    [Fact]
    public void A_window_longer_than_the_text_changes_nothing()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal(Logits(folder, window: 0), Logits(folder, window: s_prompt.Length));
    }

    /// <summary>With one layer, a token sees exactly the window: what lies before it may be anything.</summary>
    [Fact]
    public void Tokens_before_the_window_are_not_seen_and_those_inside_are()
    {
        const int window = 21;
        using var folder = new TemporaryFolder();
        float[] expected = Logits(folder, window);
        Assert.Equal(expected, Logits(folder, window, changed: s_prompt.Length - 1 - window));
        Assert.NotEqual(expected, Logits(folder, window, changed: s_prompt.Length - window));
    }

    static float[] Logits(TemporaryFolder folder, int window, int? changed = null)
    {
        GgufWriter file = (TinyModel.Llama with { Layers = 1 }).Build();
        file.Set("llama.attention.sliding_window", (uint)window);
        file.Write(folder["window.gguf"]);
        using var model = LanguageModel.Load(folder["window.gguf"]);
        using var engine = new InferenceEngine(model, StoredAs.Floats with { PrefillChunk = 13 });
        using Sequence sequence = engine.NewSequence();
        int[] prompt = [.. s_prompt];
        if (changed is { } index)
            prompt[index] ^= 1;
        sequence.Append(prompt);
        return engine.ComputeLogits(sequence)[^1];
    }
}
