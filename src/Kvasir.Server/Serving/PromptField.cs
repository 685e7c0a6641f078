using System.Text.Json;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>
/// Reads prompts as llama-server takes them: a text, tokens, both mixed in one list, an object with <c>prompt_string</c>, or a list of
/// any of these.
/// </summary>
static class PromptField
{
    const int Most = 64, MostParts = 1 << 20;

    /// <summary>The tokens of each prompt, and whether there was a list of them, to be answered by a list.</summary>
    public static (IReadOnlyList<int[]> Prompts, bool AreMany) Read(Field prompt, InferenceEngine engine)
    {
        if (!AreMany(prompt))
            return ([One(prompt, engine)], false);
        IReadOnlyList<Field> prompts = prompt.Items();
        return prompts.Count is > 0 and <= Most
            ? ([.. prompts.Select(one => One(one, engine))], true)
            : throw prompt.Wrong($"1 to {Most} prompts");
    }

    /// <summary>A list with a number in it is one prompt.</summary>
    static bool AreMany(Field prompt) =>
        prompt.IsArray && !prompt.Json.EnumerateArray().Any(part => part.ValueKind == JsonValueKind.Number);

    static int[] One(Field prompt, InferenceEngine engine)
    {
        int[] tokens = prompt.IsString ? Text(prompt, engine, opens: true)
            : prompt.IsArray ? [.. Mixed(prompt, engine)]
            : prompt.IsObject ? TextOf(prompt, engine)
            : throw (prompt.IsAbsent ? prompt.Missing("a text or tokens") : prompt.Wrong("a text, tokens, or a list of them"));
        return tokens.Length == 0 ? throw prompt.Wrong("at least one token")
            : tokens.Length < engine.Context ? tokens
            : throw new ContextExceededException(tokens.Length + 1, engine.Context, engine.Model.Config.Context);
    }

    /// <summary>Whether a list has texts among its tokens.</summary>
    public static bool IsMixed(Field prompt) => prompt.IsArray && !AreMany(prompt)
        && prompt.Json.EnumerateArray().Any(part => part.ValueKind == JsonValueKind.String);

    /// <summary>The tokens of a list of tokens and texts.</summary>
    public static IEnumerable<int> Mixed(Field parts, InferenceEngine engine)
    {
        bool isFirst = true;
        foreach (Field part in parts.Items(MostParts))
        {
            foreach (int token in part.IsString ? Text(part, engine, opens: isFirst) : [Token(part, engine)])
                yield return token;
            isFirst = false;
        }
    }

    static int Token(Field part, InferenceEngine engine) => part.Whole(0, engine.Model.Tokenizer.VocabularySize - 1)
        ?? throw part.Missing("a token or a text");

    static int[] TextOf(Field prompt, InferenceEngine engine)
    {
        Field data = prompt["multimodal_data"];
        if (!data.IsAbsent && !(data.IsArray && data.Json.GetArrayLength() == 0))
            throw data.Refused(data.Path, "this model reads text only");
        return prompt["prompt_string"] is { IsString: true } text ? Text(text, engine, opens: true)
            : throw prompt["prompt_string"].Wrong("a text");
    }

    static int[] Text(Field text, InferenceEngine engine, bool opens)
    {
        BodyLimit.Check(text, engine.Context, engine.Model.Tokenizer.LongestToken);
        return opens
            ? engine.Model.Tokenizer.EncodePrompt(text.Text()!, engine.Context)
            : engine.Model.Tokenizer.EncodeTemplate(text.Text()!);
    }
}
