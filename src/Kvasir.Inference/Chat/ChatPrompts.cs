using System.Collections.Frozen;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Kvasir.Formats;
using Kvasir.Inference.Templates;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference.Chat;

/// <summary>
/// Writes conversations as tokens, by the model's own chat template: the only road from the one to the other, so that what was computed
/// of a conversation is found again however it comes. Frames are control tokens of the template's own text and contents are plain text,
/// so no content can forge a frame. Safe for use from many threads.
/// </summary>
public sealed partial class ChatPrompts
{
    /// <summary>What a model without a template is asked in: ChatML.</summary>
    public const string ChatMl =
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
        + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

    const int MostReasonCharacters = 500;

    readonly Tokenizer _tokenizer;
    readonly ChatTemplate _template, _toolTemplate;
    readonly bool _wantsNoTools, _namesThinking, _expectsThinking;

    /// <summary>Reads a model's template.</summary>
    /// <param name="tokenizer">The model's tokenizer, which knows its template.</param>
    /// <param name="template">A template instead of the model's own, or null.</param>
    /// <exception cref="TemplateException">The template cannot be understood; one line says whose it is, where and why.</exception>
    public ChatPrompts(Tokenizer tokenizer, string? template = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        string source = template ?? tokenizer.Vocabulary.ChatTemplate ?? ChatMl, named = template is null ? "tokenizer.chat_template" : "";
        string? forTools = template is null ? tokenizer.Vocabulary.ToolTemplate : null;
        (_tokenizer, Tools, Thoughts) = (tokenizer, ToolFormat.Of(forTools ?? source), ThoughtFormat.Of(source));
        (_wantsNoTools, _namesThinking) = (ComparesTools().IsMatch(source) && !AsksForTools().IsMatch(source),
            NamesThinking().IsMatch(source));
        _expectsThinking = DeniesThinking().IsMatch(source);
        Template = source;
        _template = Parse(source, named);
        _toolTemplate = forTools is null ? _template : Parse(forTools, named + ".tool_use");
    }

    ChatTemplate Parse(string source, string key)
    {
        try
        {
            return ChatTemplate.Parse(source);
        }
        catch (TemplateException e)
        {
            string place = key.Length > 0 ? $"{Printable.Line(_tokenizer.Vocabulary.Source, 4096)}: {key}" : "the chat template";
            throw new TemplateException($"{place}: {e.Message}");
        }
    }

    /// <summary>The template, in Jinja, of conversations without tools.</summary>
    public string Template { get; }

    /// <summary>How the model calls tools.</summary>
    public ToolFormat Tools { get; }

    /// <summary>How the model marks its thoughts; null when its template knows none.</summary>
    public ThoughtFormat? Thoughts { get; }

    /// <summary>The control tokens of the vocabulary that are markers of thoughts, and of calls if these may come.</summary>
    public IReadOnlySet<int> Markers(bool withTools) =>
        (Thoughts?.Markers ?? []).Concat(withTools ? Tools.Markers : [])
            .Select(_tokenizer.Find).OfType<int>()
            .Where(token => _tokenizer.Type(token) == TokenType.Control && !_tokenizer.Ends.Contains(token)).ToFrozenSet();

    /// <summary>The tokens of a conversation and of the start of the answer to it.</summary>
    /// <param name="messages">Objects with <c>role</c> and <c>content</c>, as templates know them.</param>
    /// <param name="tools">Tool definitions, or null.</param>
    /// <param name="more">Further variables of the template, or null.</param>
    /// <param name="opensAnswer">Whether the answer is to begin; if not, the conversation so far.</param>
    /// <param name="most">So many are wanted: of a text that certainly has more, only the first come, and more than so many.</param>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    public int[] Encode(
        JsonArray messages, JsonArray? tools = null, JsonObject? more = null, bool opensAnswer = true, int most = int.MaxValue) =>
        Write(messages, tools, more, opensAnswer ? PromptEnd.Answer : PromptEnd.Message, most).Tokens;

    /// <summary>The same, with what is to be known of the answer to it.</summary>
    /// <param name="messages">Objects with <c>role</c> and <c>content</c>, as templates know them.</param>
    /// <param name="tools">Tool definitions, or null.</param>
    /// <param name="more">Further variables of the template, or null.</param>
    /// <param name="end">What it ends with.</param>
    /// <param name="most">So many are wanted: of a text that certainly has more, only the first come, and more than so many.</param>
    /// <exception cref="TemplateException">The template refuses the conversation, or does not write its last message as it is.</exception>
    public ChatPrompt Write(JsonArray messages, JsonArray? tools, JsonObject? more, PromptEnd end, int most = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(messages);
        string open = end == PromptEnd.OpenMessage ? OpenMessage.TextOf(messages) : "";
        if (end == PromptEnd.OpenMessage && open.Length == 0)
            return Write([.. messages.SkipLast(1).Select(message => message!.DeepClone())], tools, more, PromptEnd.Answer, most);
        RenderedPrompt prompt = Render(messages, tools, more, end == PromptEnd.Answer);
        if (end == PromptEnd.OpenMessage)
            prompt = Refusing(() => OpenMessage.Cut(prompt, open));
        int[] tokens = _tokenizer.Encode(prompt, most);
        return new ChatPrompt(tokens.AsSpan().StartsWith(_tokenizer.Opening.AsSpan()) ? tokens : [.. _tokenizer.Opening, .. tokens])
        {
            Text = prompt.Text,
            OpensThoughts = end != PromptEnd.Message
                && Thoughts?.AreOpenAfter(OpenMessage.Tail(prompt, end == PromptEnd.OpenMessage)) == true,
            Continues = open,
        };
    }

    RenderedPrompt Render(JsonArray messages, JsonArray? tools, JsonObject? more, bool opensAnswer)
    {
        ChatTemplate template = tools is null ? _template : _toolTemplate;
        if (!Tools.IsGeneric)
            return Refusing(() => Render(template, messages, tools, more, opensAnswer));
        JsonArray texts = GenericTools.Write(messages, tools);
        try
        {
            return Refusing(() => Render(template, texts, null, more, opensAnswer));
        }
        catch (TemplateException e) when (e.RaisedByTemplate && tools is not null)
        {
            JsonArray withoutSystem = GenericTools.WithoutSystem(texts); // perhaps it knows no system, which says what the tools are
            return Refusing(() => Render(template, withoutSystem, null, more, opensAnswer));
        }
    }

    RenderedPrompt Render(ChatTemplate template, JsonArray messages, JsonArray? tools, JsonObject? more, bool opensAnswer)
    {
        JsonObject variables = more is null ? [] : (JsonObject)more.DeepClone();
        variables["messages"] = NameThoughts((JsonArray)messages.DeepClone());
        variables.Remove("tools");
        if (tools is not null || _wantsNoTools)
            variables["tools"] = tools?.DeepClone();
        if (_expectsThinking)
            variables.TryAdd("enable_thinking", true);
        variables["add_generation_prompt"] = opensAnswer;
        variables["bos_token"] = Spelling(_tokenizer.Bos);
        variables["eos_token"] = Spelling(_tokenizer.Eos);
        RenderedPrompt prompt = template.Render(variables);
        return prompt.Text.Length > 0 ? prompt : throw new TemplateException("it is empty, or writes nothing for it");
    }

    /// <summary>
    /// Thoughts of earlier turns stand in <c>reasoning_content</c>; some templates call them <c>thinking</c>, and refuse them beside a text
    /// that comes with calls.
    /// </summary>
    JsonArray NameThoughts(JsonArray messages)
    {
        foreach (JsonNode? message in _namesThinking ? messages : [])
            if (message!["reasoning_content"] is { } thoughts
                && (message["tool_calls"] is null || (string?)message["content"] is null or ""))
                message["thinking"] = thoughts.DeepClone();
        return messages;
    }

    /// <summary>How many tokens of a conversation come before its last message.</summary>
    /// <param name="messages">At least two messages.</param>
    /// <param name="tokens">The whole conversation as tokens.</param>
    public int TokensBeforeLast(JsonArray messages, ReadOnlySpan<int> tokens)
    {
        ArgumentNullException.ThrowIfNull(messages);
        JsonArray before = [.. messages.SkipLast(1).Select(message => message!.DeepClone())];
        return EncodeBeginning(before).AsSpan().CommonPrefixLength(tokens);
    }

    /// <summary>
    /// The tokens with which a conversation begins whatever is said next: what two continuations that differ from their first character
    /// on have in common. Some templates write no system prompt without a question behind it, or write it into the question.
    /// </summary>
    /// <inheritdoc cref="Encode" path="/param"/>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    public int[] EncodeBeginning(JsonArray messages, JsonArray? tools = null, JsonObject? more = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        int[] one = Encode(FollowedBy("a"), tools, more), other = Encode(FollowedBy("1"), tools, more);
        return one[..one.AsSpan().CommonPrefixLength(other)];

        JsonArray FollowedBy(string content)
        {
            string role = messages is [.., var last] && (string?)last!["role"] == "user" ? "assistant" : "user";
            return [.. messages.Select(message => message!.DeepClone()), new JsonObject { ["role"] = role, ["content"] = content }];
        }
    }

    static RenderedPrompt Refusing(Func<RenderedPrompt> render)
    {
        try
        {
            return render();
        }
        catch (TemplateException e)
        {
            string reason = Printable.Line(e.Message.ReplaceLineEndings(" "), MostReasonCharacters);
            throw new TemplateException($"the model's chat template refuses this conversation: {reason}", e.RaisedByTemplate);
        }
    }

    /// <summary>Some templates compare tools with none, and do not ask whether there are any: an absent list is none to them.</summary>
    [GeneratedRegex(@"\btools\s+is\s+(not\s+)?none\b", RegexOptions.IgnoreCase)]
    private static partial Regex ComparesTools();

    [GeneratedRegex(@"\btools\s+is\s+(not\s+)?(un)?defined\b")]
    private static partial Regex AsksForTools();

    /// <summary>
    /// llama.cpp's templates end thoughts where they are not enabled, and never ask whether anybody said so: they take for granted that
    /// this is said.
    /// </summary>
    [GeneratedRegex(@"\bif\s+not\s+enable_thinking\s*-?%\}")]
    private static partial Regex DeniesThinking();

    [GeneratedRegex(@"\.thinking\b|['""]thinking['""]")]
    private static partial Regex NamesThinking();

    string Spelling(int? token) => token is { } id ? _tokenizer.Text(id) : "";
}
