using System.Text.Json;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Golden;

/// <summary>
/// Greedy decoding by llama.cpp in f32 against ours: the ids are equal and the first logits within 1e-3 of each other's size.
/// </summary>
public class LlamaCppTests
{
    const double Tolerance = 1e-3;

    [Fact]
    public void Greedy_ids_and_first_logits_of_saga_are_those_of_llama_cpp()
    {
        using TemporaryFolder folder = new();
        Check(SagaInF32.WriteTo(folder["saga.gguf"]), Path.Combine(Checkout.Root, "tests/Kvasir.Tests/Golden/saga.jsonl"));
    }

    [Fact]
    public void Greedy_ids_and_first_logits_of_stories_are_those_of_llama_cpp() =>
        Check(Checkout.Shared("models/stories260K/stories260K.gguf"), Checkout.Shared("golden/stories260K.jsonl"));

    /// <summary>BOS and the tokens after it that llama2.c's own test expects of the model.</summary>
    [Fact]
    public void Stories_from_nothing_are_those_of_llama2_c()
    {
        using var model = LanguageModel.Load(Checkout.Shared("models/stories260K/stories260K.gguf"));
        using var engine = new InferenceEngine(model, StoredAs.Floats with { Context = 512 });
        int[] expected = JsonSerializer.Deserialize<int[]>(File.ReadAllText(Checkout.Shared("models/stories260K/golden_greedy_ids.json")))!;
        using Sequence sequence = engine.NewSequence();
        sequence.Append([1]);
        engine.Generate(sequence, new GenerationOptions { MaxTokens = expected.Length - 1 }, _ => { },
            TestContext.Current.CancellationToken);
        Assert.Equal(expected, sequence.Tokens.ToArray());
    }

    static void Check(string modelPath, string goldenPath)
    {
        using var model = LanguageModel.Load(modelPath);
        using var engine = new InferenceEngine(model, StoredAs.Floats with { Context = 2048 });
        string[] goldens = File.ReadAllLines(goldenPath);
        Assert.NotEmpty(goldens);
        foreach (string line in goldens)
            Check(engine, JsonDocument.Parse(line).RootElement);
    }

    static void Check(InferenceEngine engine, JsonElement golden)
    {
        int[] prompt = Ints(golden.GetProperty("prompt_tokens")), expected = Ints(golden.GetProperty("greedy_tokens"));
        using Sequence sequence = engine.NewSequence();
        sequence.Append(prompt);
        CheckLogits(engine, sequence, golden);
        sequence.Clear();
        sequence.Append(prompt);
        engine.Generate(sequence, new GenerationOptions { MaxTokens = expected.Length }, _ => { }, TestContext.Current.CancellationToken);
        Assert.Equal(expected, sequence.Tokens[prompt.Length..].ToArray());
    }

    static void CheckLogits(InferenceEngine engine, Sequence sequence, JsonElement golden)
    {
        float[] logits = engine.ComputeLogits(sequence)[^1];
        foreach (JsonElement pair in golden.GetProperty("top20").EnumerateArray())
            AssertClose(pair[1].GetDouble(), logits[pair[0].GetInt32()], "logit");
        double largest = logits.Max();
        AssertClose(golden.GetProperty("logsumexp").GetDouble(),
            largest + Math.Log(logits.Sum(logit => Math.Exp(logit - largest))), "logsumexp");
    }

    static void AssertClose(double expected, double actual, string what) =>
        Assert.True(Math.Abs(expected - actual) <= Tolerance * Math.Max(1, Math.Abs(expected)), $"{what}: {actual}, expected {expected}");

    static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(element => element.GetInt32())];
}
