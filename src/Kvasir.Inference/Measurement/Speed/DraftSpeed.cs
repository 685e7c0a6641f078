using Kvasir.Inference.Drafting;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Inference.Measurement.Speed;

/// <summary>
/// An answer that is replayed: every step is computed as it would be, and the tokens that come are these, whatever the model says.
/// </summary>
/// <param name="Name">What it is like.</param>
/// <param name="Prompt">The prompt's tokens.</param>
/// <param name="Answer">The answer's.</param>
public sealed record ReplayedAnswer(string Name, IReadOnlyList<int> Prompt, IReadOnlyList<int> Answer)
{
    const int Common = 2000; // tokens of which texts are made, the first of them often

    /// <summary>
    /// A question about a document, whose answer quotes it; a file that is written again with edits; and an answer in which nothing
    /// repeats, but as words do.
    /// </summary>
    public static IReadOnlyList<ReplayedAnswer> All(int vocabulary, int promptTokens, int answerTokens)
    {
        Random random = new(1);
        int first = Math.Min(vocabulary / 2, 300), range = Math.Min(vocabulary - first, Common);
        int[] Text(int tokens) => [.. Enumerable.Range(0, tokens).Select(_ => first + (int)(Math.Pow(random.NextDouble(), 2) * range))];
        int[] document = Text(promptTokens);
        return
        [
            new("document question", [.. document, .. Text(16)], Quoting(answerTokens)),
            new("code edit", document, Edited(answerTokens)),
            new("nothing repeats", document, Text(answerTokens)),
        ];

        int[] Quoting(int tokens)
        {
            List<int> answer = [];
            while (answer.Count < tokens)
            {
                int quoted = random.Next(12, 32), from = random.Next(Math.Max(1, document.Length - quoted));
                answer.AddRange([.. Text(random.Next(4, 12)), .. document.Skip(from).Take(quoted)]);
            }
            return [.. answer.Take(tokens)];
        }

        int[] Edited(int tokens)
        {
            List<int> answer = [];
            for (int at = 0; answer.Count < tokens;)
            {
                int kept = random.Next(10, 70);
                answer.AddRange(document.Skip(at % document.Length).Take(kept));
                answer.AddRange(Text(random.Next(1, 5)));
                at += kept + random.Next(0, 4);
            }
            return [.. answer.Take(tokens)];
        }
    }
}

/// <summary>How much sooner replayed answers come when their tokens are guessed ahead.</summary>
public static class DraftSpeed
{
    /// <summary>Replays an answer.</summary>
    /// <returns>Tokens per second after the first, and what came of guesses.</returns>
    public static (double TokensPerS, DraftUse? Drafts) Run(
        InferenceEngine engine, ReplayedAnswer answer, SpeculativeMode mode, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(answer);
        GenerationResult result = engine.Start([.. answer.Prompt], new GenerationOptions
        {
            MaxTokens = answer.Answer.Count,
            IgnoresEnds = true,
            Replayed = answer.Answer,
            Speculative = new SpeculativeOptions { Mode = mode },
        }, cancellation: cancellation).Result.GetAwaiter().GetResult();
        cancellation.ThrowIfCancellationRequested();
        return (result.DecodeTokensPerSecond, result.Drafts);
    }
}
