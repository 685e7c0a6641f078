using System.Collections.Frozen;
using System.Text.Json.Nodes;
using Kvasir.Inference.Templates;
using Kvasir.Inference.Templates.Library;
using Kvasir.Inference.Templates.Syntax;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Chat;

/// <summary>
/// A model's chat template: the part of Jinja that transformers offers to <c>tokenizer.chat_template</c>. Immutable and safe for use from
/// many threads; neither source nor variables are trusted, and what a run may cost is bounded.
/// </summary>
public sealed class ChatTemplate
{
    readonly Body _body;

    ChatTemplate(Body body) => _body = body;

    /// <summary>The variables whose text is the model maker's own and may hold control tokens, unless others are named.</summary>
    public static IReadOnlySet<string> TrustedVariables { get; } =
        FrozenSet.Create(StringComparer.Ordinal, "bos_token", "eos_token", "unk_token", "pad_token");

    /// <summary>Reads a template.</summary>
    /// <exception cref="TemplateException">The source is malformed; the message names line, what was seen and
    /// what was expected.</exception>
    public static ChatTemplate Parse(string source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new ChatTemplate(StatementParser.Read(source));
    }

    /// <summary>What the template makes of variables, such as messages, tools, add_generation_prompt and bos_token.</summary>
    /// <param name="variables">By name. They hide the template language's functions of the same name.</param>
    /// <param name="time">The clock of <c>strftime_now</c>; the system's if null.</param>
    /// <param name="trusted">The variables whose text counts as the template's own; <see cref="TrustedVariables"/> if null.</param>
    /// <exception cref="TemplateException">
    /// The template raised it itself (then the message is its own), went wrong or did too much (then it is one line that names the line).
    /// </exception>
    public RenderedPrompt Render(JsonObject variables, TimeProvider? time = null, IReadOnlySet<string>? trusted = null)
    {
        ArgumentNullException.ThrowIfNull(variables);
        var rendering = new Rendering(time ?? TimeProvider.System);
        Scope scope = Variables(variables, trusted ?? TrustedVariables, rendering);
        try
        {
            return new RenderedPrompt(_body.Capture(scope).Segments);
        }
        catch (TemplateException failure) when (!failure.RaisedByTemplate)
        {
            throw new TemplateException($"line {rendering.Line}: {failure.Message}");
        }
    }

    static Scope Variables(JsonObject variables, IReadOnlySet<string> trusted, Rendering rendering)
    {
        var scope = new Scope(Functions.In(rendering));
        foreach (var (name, value) in Templates.Values.Variables.From(variables, trusted))
            scope.Set(name, value);
        return scope;
    }
}
