using Kvasir.Inference.Drafting;
using Kvasir.Inference.Tokenization;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>Reads how an answer's tokens are to be guessed ahead.</summary>
static class SpeculativeField
{
    static readonly string[] s_names = ["mode", "n_max", "n_min", "p_min"];

    /// <summary>
    /// <c>speculative</c>, an object of <c>mode</c> and <c>n_max</c>; or llama-server's <c>speculative.n_max</c>, with a point in the name.
    /// </summary>
    public static SpeculativeOptions Read(Field body)
    {
        Field field = body["speculative"];
        if (!field.IsAbsent && !field.IsObject)
            throw field.Wrong("an object such as {\"mode\": \"off\"}");
        if (field.IsObject && field.Members(64).FirstOrDefault(member => !s_names.Contains(member.Name)) is { Name: not null } other)
            throw new RequestException(400, $"{other.Value.Path}: no field of speculative, expected {string.Join(", ", s_names)}",
                other.Value.Path, "unsupported_field");
        int? most = (field["n_max"].IsAbsent ? body["speculative.n_max"] : field["n_max"]).Whole(0, int.MaxValue);
        SpeculativeOptions usual = new();
        return usual with
        {
            Mode = most == 0 ? SpeculativeMode.Off : Mode(field["mode"]),
            MostTokens = most is > 0 and var some ? Math.Min(some, SpeculativeOptions.MostAtOnce) : usual.MostTokens,
        };
    }

    static SpeculativeMode? Mode(Field field) => field.OneOf("off", "lookup", "auto") switch
    {
        "off" => SpeculativeMode.Off,
        "lookup" => SpeculativeMode.Lookup,
        "auto" => SpeculativeMode.Auto,
        _ => null,
    };

    /// <summary>OpenAI's <c>prediction</c>: the text that much of an answer is expected to be.</summary>
    public static int[] Prediction(Field field, Tokenizer tokenizer)
    {
        if (field.IsAbsent)
            return [];
        _ = field["type"].OneOf("content") ?? throw field["type"].Missing("'content'");
        Field content = field["content"];
        return content.IsAbsent ? throw content.Missing("a string or a list of parts") : tokenizer.Encode(Text(content));
    }

    static string Text(Field content) => content.IsString ? content.Text()! : string.Concat(content.Items().Select(part =>
        part["type"].OneOf("text") is null ? throw part["type"].Missing("'text'")
            : part["text"].Text() ?? throw part["text"].Missing("a string")));
}
