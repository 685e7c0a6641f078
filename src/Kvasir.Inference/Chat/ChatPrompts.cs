using System.Text.Json.Nodes;
using Kvasir.Formats;
using Kvasir.Inference.Templates;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference.Chat;

/// <summary>
/// Writes conversations as tokens, by the model's own chat template: the only road from the one to the other, so that what was computed
/// of a conversation is found again however it comes. Frames are control tokens of the template's own text and contents are plain text,
/// so no content can forge a frame. Safe for use from many threads.
/// </summary>
public sealed class ChatPrompts
{
    /// <summary>What a model without a template is asked in: ChatML.</summary>
    public const string ChatMl =
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
        + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

    const int MostReasonCharacters = 500;

    readonly Tokenizer _tokenizer;
    readonly ChatTemplate _template, _toolTemplate;

    /// <summary>Reads a model's template.</summary>
    /// <param name="tokenizer">The model's tokenizer, which knows its template.</param>
    /// <param name="template">A template instead of the model's own, or null.</param>
    /// <exception cref="TemplateException">The template cannot be understood; one line says whose it is, where and why.</exception>
    public ChatPrompts(Tokenizer tokenizer, string? template = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        string source = template ?? tokenizer.Vocabulary.ChatTemplate ?? ChatMl, named = template is null ? "tokenizer.chat_template" : "";
        string? forTools = template is null ? tokenizer.Vocabulary.ToolTemplate : null;
        (_tokenizer, Tools) = (tokenizer, ToolFormat.Of(forTools ?? source));
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

    /// <summary>How the model calls tools; null when its template has none.</summary>
    public ToolFormat? Tools { get; }

    /// <summary>The tokens of a conversation and of the start of the answer to it.</summary>
    /// <param name="messages">Objects with <c>role</c> and <c>content</c>, as templates know them.</param>
    /// <param name="tools">Tool definitions, or null.</param>
    /// <param name="more">Further variables of the template, or null.</param>
    /// <param name="opensAnswer">Whether the answer is to begin; if not, the conversation so far.</param>
    /// <param name="most">So many are wanted: of a text that certainly has more, only the first come, and more than so many.</param>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    public int[] Encode(
        JsonArray messages, JsonArray? tools = null, JsonObject? more = null, bool opensAnswer = true, int most = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(messages);
        int[] tokens = _tokenizer.Encode(Write(messages, tools, more, opensAnswer), most);
        return tokens.AsSpan().StartsWith(_tokenizer.Opening.AsSpan()) ? tokens : [.. _tokenizer.Opening, .. tokens];
    }

    /// <summary>What the template makes of a conversation, before it becomes tokens.</summary>
    /// <inheritdoc cref="Encode" path="/param"/>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    public RenderedPrompt Write(JsonArray messages, JsonArray? tools = null, JsonObject? more = null, bool opensAnswer = true)
    {
        ArgumentNullException.ThrowIfNull(messages);
        JsonObject variables = more is null ? [] : (JsonObject)more.DeepClone();
        variables["messages"] = messages.DeepClone();
        variables["tools"] = tools?.DeepClone();
        variables["add_generation_prompt"] = opensAnswer;
        variables["bos_token"] = Spelling(_tokenizer.Bos);
        variables["eos_token"] = Spelling(_tokenizer.Eos);
        return Render(tools is null ? _template : _toolTemplate, variables);
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

    static RenderedPrompt Render(ChatTemplate template, JsonObject variables)
    {
        try
        {
            RenderedPrompt prompt = template.Render(variables);
            return prompt.Text.Length > 0 ? prompt : throw new TemplateException("it is empty, or writes nothing for it");
        }
        catch (TemplateException e)
        {
            string reason = Printable.Line(e.Message.ReplaceLineEndings(" "), MostReasonCharacters);
            throw new TemplateException($"the model's chat template refuses this conversation: {reason}", e.RaisedByTemplate);
        }
    }

    string Spelling(int? token) => token is { } id ? _tokenizer.Text(id) : "";
}
