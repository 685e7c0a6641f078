using System.Text.Json.Nodes;
using Kvasir.Inference.Templates;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference.Chat;

/// <summary>Writes conversations with the model's own chat template. Safe for use from many threads.</summary>
public sealed class ChatPrompts
{
    readonly LanguageModel _model;
    readonly ChatTemplate? _template;

    /// <summary>Reads the template of a model.</summary>
    /// <exception cref="TemplateException">The model's template cannot be understood.</exception>
    public ChatPrompts(LanguageModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        string? source = model.Tokenizer.Vocabulary.ChatTemplate;
        _template = source is null ? null : ChatTemplate.Parse(source);
        Tools = source is null ? null : ToolFormat.Of(source);
    }

    /// <summary>How the model calls tools; null when its template has none.</summary>
    public ToolFormat? Tools { get; }

    /// <summary>The tokens of a conversation and of the start of the answer to it.</summary>
    /// <param name="messages">Objects with <c>role</c> and <c>content</c>, as templates know them.</param>
    /// <param name="tools">Tool definitions, or null.</param>
    /// <param name="more">Further variables of the template, or null.</param>
    /// <param name="opensAnswer">Whether the answer is to begin; if not, the conversation so far.</param>
    /// <exception cref="ChatFormatException">The model has no template.</exception>
    /// <exception cref="TemplateException">Its template refuses the conversation.</exception>
    public int[] Encode(JsonArray messages, JsonArray? tools, JsonObject? more, bool opensAnswer = true)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (_template is null)
            throw new ChatFormatException($"{_model.Config.Name}: this model has no chat template, it completes texts only");
        JsonObject variables = more is null ? [] : (JsonObject)more.DeepClone();
        variables["messages"] = messages.DeepClone();
        variables["tools"] = tools?.DeepClone();
        variables["add_generation_prompt"] = opensAnswer;
        variables["bos_token"] = Spelling(_model.Tokenizer.Bos);
        variables["eos_token"] = Spelling(_model.Tokenizer.Eos);
        try
        {
            int[] tokens = _model.Tokenizer.Encode(_template.Render(variables));
            bool opens = tokens.AsSpan().StartsWith(_model.Tokenizer.Opening.AsSpan());
            return opens ? tokens : [.. _model.Tokenizer.Opening, .. tokens];
        }
        catch (TemplateException e)
        {
            throw new TemplateException($"the model's chat template refuses this conversation: {e.Message}", e.RaisedByTemplate);
        }
    }

    string Spelling(int? token) => token is { } id ? _model.Tokenizer.Text(id) : "";
}
