using System.CommandLine;
using Kvasir.Cli.Configuration;
using Kvasir.Cli.Output;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Templates;

namespace Kvasir.Cli.Flags;

/// <summary>
/// The flag that names another chat template than the model's own. Whatever makes prompts has it: what one verb has computed, the others
/// find.
/// </summary>
sealed class TemplateFlag
{
    readonly Setting<string?> _file = new("--chat-template-file")
    {
        Description = "A chat template (Jinja) instead of the model's own",
        HelpName = "FILE",
        IsPath = true,
    };

    readonly Setting<string?> _text = new("--chat-template")
    {
        Description = "The same, as a text; or the name of one of llama.cpp's, such as chatml or llama3", HelpName = "JINJA",
    };

    public void AddTo(Command verb)
    {
        verb.Options.Add(_file);
        verb.Options.Add(_text);
    }

    /// <summary>The template that it names; null without it.</summary>
    /// <exception cref="TemplateException">The template cannot be understood.</exception>
    public string? Read(ParseResult parsed)
    {
        if (parsed.GetValue(_text) is { } text)
            return ReadText(text, parsed.GetValue(_file) is not null);
        if (parsed.GetValue(_file) is not { } path)
            return null;
        string source = TextInput.Read(path);
        if (string.IsNullOrWhiteSpace(source))
            throw new TemplateException($"{Printable.Line(path, 4096)}: empty, expected a chat template");
        try
        {
            ChatTemplate.Parse(source);
            return source;
        }
        catch (TemplateException e)
        {
            throw new TemplateException($"{Printable.Line(path, 4096)}: {e.Message}");
        }
    }

    /// <summary>A template, or the name of one.</summary>
    string ReadText(string text, bool hasFile)
    {
        if (hasFile)
            throw new UsageException($"{_text.Name} and {_file.Name} both name a chat template: choose one");
        if (NamedTemplates.Find(text) is { } named)
            return named;
        if (!text.Contains('{', StringComparison.Ordinal))
            throw new UsageException($"{_text.Name} {Printable.Quote(text)}: expected a template in Jinja, or one of "
                + string.Join(", ", NamedTemplates.Names));
        try
        {
            ChatTemplate.Parse(text);
            return text;
        }
        catch (TemplateException e)
        {
            throw new TemplateException($"{_text.Name}: {e.Message}");
        }
    }

    /// <summary>How the model wants to be asked: who names a template wants a conversation.</summary>
    public PromptStyle Style(ParseResult parsed, LanguageModel model)
    {
        PromptStyle style = PromptStyle.From(model.Metadata);
        return IsGiven(parsed) ? style with { Continues = false } : style;
    }

    /// <summary>Writes conversations as the flag, or else the model, says.</summary>
    /// <exception cref="TemplateException">The template cannot be understood.</exception>
    public ChatPrompts Prompts(ParseResult parsed, LanguageModel model)
    {
        WarnWithout(parsed, model);
        return new ChatPrompts(model.Tokenizer, Read(parsed));
    }

    /// <summary>Refuses it beside a flag that sends a text as it is.</summary>
    public void CheckUnused(ParseResult parsed, Option<bool> raw)
    {
        if (parsed.GetValue(raw) && IsGiven(parsed))
            throw new UsageException($"{raw.Name} sends the text as it is, and {_file.Name} names a chat template: choose one");
    }

    /// <summary>Says what a model is asked in that nobody gave a template to.</summary>
    public void WarnWithout(ParseResult parsed, LanguageModel model)
    {
        if (!IsGiven(parsed) && model.Tokenizer.Vocabulary.ChatTemplate is null)
            Terminal.Line("warning: this model has no chat template and is asked in ChatML; --chat-template-file names another");
    }

    bool IsGiven(ParseResult parsed) => parsed.GetValue(_file) is not null || parsed.GetValue(_text) is not null;
}
