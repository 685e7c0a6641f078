using Kvasir.Inference.Chat;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>What a request says of the model's thoughts.</summary>
/// <param name="Effort">How hard it is to think.</param>
/// <param name="Format">Where thoughts are told; null where it does not say.</param>
/// <param name="Streams">Whether the answer comes in pieces.</param>
/// <param name="Tells">Whether they are told at all.</param>
sealed record Thinking(Effort Effort, ReasoningFormat? Format = null, bool Streams = false, bool Tells = true)
{
    /// <summary>The words for how hard, of all protocols; what they do is the template's business, but for <c>none</c>.</summary>
    static readonly string[] s_efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

    /// <summary>Reads what chats of OpenAI's older protocol say, in its own words and in those of other servers.</summary>
    public static Thinking OfChat(Field body)
    {
        body.CheckAlternatives("thinking_budget_tokens", "thinking_token_budget");
        Field reasoning = body["reasoning"], thinking = body["thinking"];
        string? effort = Word(body["reasoning_effort"]) ?? Word(reasoning["effort"]);
        bool? thinks = body["enable_thinking"].Truth() ?? reasoning["enabled"].Truth() ?? Switch(thinking["type"]);
        int? budget = Budget(body["thinking_budget_tokens"]) ?? Budget(body["thinking_token_budget"]) ?? Budget(thinking["budget_tokens"]);
        ReasoningFormat? format = body["reasoning_format"].OneOf([.. ReasoningFormats.Names]) is { } name
            ? ReasoningFormats.Find(name)
            : null;
        return new Thinking(new Effort(effort, thinks, budget), format, StreamsOf(body), body["include_reasoning"].Truth() ?? true);
    }

    /// <summary>Whether thoughts are told apart from the answer.</summary>
    /// <param name="usual">What holds where a request does not say.</param>
    public bool Splits(ReasoningFormat usual) => (Format ?? usual) switch
    {
        ReasoningFormat.InText => false,
        ReasoningFormat.InTextOfStreams => !Streams,
        _ => true,
    };

    static bool StreamsOf(Field body) => body["stream"].Truth() ?? false;

    /// <summary>Reads what <c>/v1/responses</c> says.</summary>
    public static Thinking OfResponses(Field body) => new(new Effort(Word(body["reasoning"]["effort"])), Streams: StreamsOf(body));

    /// <summary>Reads what Anthropic's messages say.</summary>
    public static Thinking OfMessages(Field body)
    {
        Field thinking = body["thinking"];
        bool? thinks = Switch(thinking["type"]);
        if (thinks == true && thinking["type"].Text() == "enabled" && thinking["budget_tokens"].IsAbsent)
            throw thinking["budget_tokens"].Missing("a whole number");
        return new Thinking(new Effort(Word(body["output_config"]["effort"]), thinks, Budget(thinking["budget_tokens"])),
            Streams: StreamsOf(body), Tells: thinking["display"].OneOf("summarized", "omitted", "full") != "omitted");
    }

    /// <summary>Reads Ollama's <c>think</c>: whether, or how hard.</summary>
    public static Thinking OfOllama(Field think) => new(think.IsString
        ? new Effort(think.OneOf("low", "medium", "high"))
        : new Effort(null, think.Truth()), ReasoningFormat.Apart);

    static string? Word(Field field) => field.OneOf(s_efforts);

    static bool? Switch(Field type) => type.OneOf("enabled", "disabled", "adaptive", "auto") switch
    {
        "enabled" => true,
        "disabled" => false,
        _ => null,
    };

    /// <summary>−1 is no bound.</summary>
    static int? Budget(Field field) => field.Whole(-1, int.MaxValue) is { } tokens and >= 0 ? tokens : null;
}
