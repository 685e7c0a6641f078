using System.Globalization;
using System.Text.Json;
using Kvasir.Inference.Tokenization;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>
/// Reads <c>logit_bias</c>: OpenAI's object of tokens and numbers, or llama-server's list of pairs. A token may be a number or a text, of
/// which every token is meant; <c>false</c> forbids one.
/// </summary>
static class LogitBiases
{
    const int Most = 1024, MostCharacters = 1000, Largest = 100;

    public static IReadOnlyDictionary<int, float>? Read(Field field, Tokenizer tokenizer)
    {
        if (field.IsAbsent)
            return null;
        Dictionary<int, float> biases = [];
        if (field.IsArray)
            foreach (Field pair in field.Items(Most))
            {
                if (pair.Items(2) is not [var token, var bias])
                    throw pair.Wrong("a token and its bias");
                foreach (int one in Tokens(token, tokenizer))
                    biases[one] = Bias(bias);
            }
        else
            foreach ((string name, Field bias) in field.Members(Most))
                foreach (int token in Tokens(name, tokenizer))
                    biases[token] = Bias(bias);
        return biases;
    }

    static int[] Tokens(Field token, Tokenizer tokenizer) => token.IsString
        ? Spelt(token.Text(MostCharacters)!, tokenizer)
        : [token.Whole(0, tokenizer.VocabularySize - 1) ?? throw token.Missing("a token, or a text")];

    static int[] Tokens(string name, Tokenizer tokenizer) =>
        !int.TryParse(name, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int token) ? Spelt(name, tokenizer)
            : token >= 0 && token < tokenizer.VocabularySize ? [token]
            : throw new RequestException(400, $"logit_bias: '{token}' is no token, expected 0 to {tokenizer.VocabularySize - 1}", "logit_bias");

    static int[] Spelt(string text, Tokenizer tokenizer) => text.Length is > 0 and <= MostCharacters
        ? tokenizer.EncodeTemplate(text)
        : throw new RequestException(400, $"logit_bias: a text of {text.Length:N0} characters, expected a token, or a text of 1 to "
            + $"{MostCharacters:N0} characters", "logit_bias");

    static float Bias(Field bias) => bias.Json.ValueKind == JsonValueKind.False
        ? -Largest
        : bias.Real(-Largest, Largest) ?? throw bias.Missing($"a number from -{Largest} to {Largest}, or false");
}
