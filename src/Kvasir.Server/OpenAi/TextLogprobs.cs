using System.Text;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Tokenization;
using Kvasir.Server.Serving;

namespace Kvasir.Server.OpenAi;

/// <summary>How likely tokens were, in the older form; nothing foretells the first one of a prompt.</summary>
sealed record TextLogprobs(IReadOnlyList<string> Tokens, IReadOnlyList<float?> TokenLogprobs,
    IReadOnlyList<IReadOnlyDictionary<string, float>?> TopLogprobs, IReadOnlyList<int> TextOffset);

/// <summary>
/// Tells of tokens how likely they were, and where in the text they begin: in characters of Unicode from the prompt's first, as Python
/// counts them. A token that is no text, or only a part of a character, begins where the next one does.
/// </summary>
sealed class TextOffsets(Tokenizer tokenizer, CompletionRequest request, int choice)
{
    readonly int[] _prompt = request.Prompts[choice / request.PerPrompt];
    readonly Detokenizer _text = new(tokenizer);
    int _offset;

    /// <param name="ofPrompt">Those of the whole prompt, where they are told.</param>
    /// <param name="ofAnswer">Those of tokens that come then.</param>
    public TextLogprobs Of(IReadOnlyList<TokenLogprobs?>? ofPrompt, IReadOnlyList<TokenLogprobs> ofAnswer)
    {
        (int Token, TokenLogprobs? Likely)[] tokens =
            [.. (ofPrompt ?? []).Select((likely, i) => (_prompt[i], likely)),
                .. ofAnswer.Select(likely => (likely.Token, (TokenLogprobs?)likely))];
        return new TextLogprobs(
            [.. tokens.Select(token => TokenLogprob.Text(token.Token, tokenizer))], [.. tokens.Select(token => token.Likely?.Logprob)],
            [.. tokens.Select(token => Top(token.Likely))], [.. tokens.Select(token => Begin(token.Token))]);
    }

    int Begin(int token)
    {
        int begin = _offset;
        foreach (Rune _ in _text.Append(token).EnumerateRunes())
            _offset++;
        return begin;
    }

    Dictionary<string, float>? Top(TokenLogprobs? likely) => likely?.Top.Take(request.Options.TopLogprobs ?? 0)
        .Select(top => (Text: TokenLogprob.Text(top.Token, tokenizer), top.Logprob)).DistinctBy(top => top.Text)
        .ToDictionary(top => top.Text, top => top.Logprob);
}
