using System.Text.Json.Nodes;
using Kvasir.Inference.Templates;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference.Chat;

/// <summary>Writes conversations with the model's own chat template. Safe for use from many threads.</summary>
public sealed class ChatPrompts
{
    /// <summary>What a model without a template is asked in: ChatML.</summary>
    const string Fallback = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

    readonly Tokenizer _tokenizer;
    readonly ChatTemplate _template;

    /// <summary>Reads the template of a model.</summary>
    /// <param name="tokenizer">The model's tokenizer, which knows its template.</param>
    /// <param name="template">A template instead of the model's own, or null.</param>
    /// <exception cref="TemplateException">The template cannot be understood.</exception>
    public ChatPrompts(Tokenizer tokenizer, string? template = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        string source = template ?? tokenizer.Vocabulary.ChatTemplate ?? Fallback;
        (_tokenizer, _template, Tools) = (tokenizer, ChatTemplate.Parse(source), ToolFormat.Of(source));
    }

    /// <summary>How the model calls tools; null when its template has none.</summary>
    public ToolFormat? Tools { get; }

    /// <summary>The tokens of a conversation and of the start of the answer to it.</summary>
    /// <param name="messages">Objects with <c>role</c> and <c>content</c>, as templates know them.</param>
    /// <param name="tools">Tool definitions, or null.</param>
    /// <param name="more">Further variables of the template, or null.</param>
    /// <param name="opensAnswer">Whether the answer is to begin; if not, the conversation so far.</param>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    public int[] Encode(JsonArray messages, JsonArray? tools, JsonObject? more, bool opensAnswer = true)
    {
        ArgumentNullException.ThrowIfNull(messages);
        JsonObject variables = more is null ? [] : (JsonObject)more.DeepClone();
        variables["messages"] = messages.DeepClone();
        variables["tools"] = tools?.DeepClone();
        variables["add_generation_prompt"] = opensAnswer;
        variables["bos_token"] = Spelling(_tokenizer.Bos);
        variables["eos_token"] = Spelling(_tokenizer.Eos);
        try
        {
            int[] tokens = _tokenizer.Encode(_template.Render(variables));
            bool opens = tokens.AsSpan().StartsWith(_tokenizer.Opening.AsSpan());
            return opens ? tokens : [.. _tokenizer.Opening, .. tokens];
        }
        catch (TemplateException e)
        {
            throw new TemplateException($"the model's chat template refuses this conversation: {e.Message}", e.RaisedByTemplate);
        }
    }

    string Spelling(int? token) => token is { } id ? _tokenizer.Text(id) : "";
}
