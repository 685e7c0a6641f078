using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Cli.Configuration;
using Kvasir.Formats;
using Kvasir.Server.Serving;

namespace Kvasir.Cli.Flags;

/// <summary>The flags of <c>serve</c> that speak to the chat template where a request says nothing.</summary>
sealed class RequestFlags
{
    readonly Setting<string?> _variables = new("--chat-template-kwargs")
    {
        Description = "Variables of the chat template, as a JSON object; requests may say others", HelpName = "JSON",
    };
    readonly Setting<string?> _reasoning = new("--reasoning", "-rea")
    {
        Description = "Whether models that can think do: on, off, or auto, as their template says", Usual = "auto", HelpName = "WHEN",
    };
    readonly Setting<string?> _effort = new("--reasoning-effort")
    {
        Description = "How much they think: minimal, low, medium, high …; default for what their template says", HelpName = "LEVEL",
    };

    readonly Setting<int?> _budget = new("--reasoning-budget")
    {
        Description = "Most tokens of thoughts; -1 for no bound, 0 for none",
        CustomParser = Number.ParseOptionalWithin(-1, int.MaxValue), HelpName = "N",
    };

    readonly Setting<string?> _format = new("--reasoning-format")
    {
        Description = "Where thoughts are told: deepseek for a field of their own, none for the text, deepseek-legacy for the text of "
            + "streams and the field of whole answers",
        Usual = "auto, the same as deepseek",
        HelpName = "FORMAT",
    };
    readonly Setting<bool> _beginsAnew = new("--no-prefill-assistant")
    {
        Description = "Answer a last message of the assistant, where chats of OpenAI's protocol would go on with it",
    };
    readonly Option<bool> _raw = new("--verbose", "-v", "--log-verbose")
    {
        Description = "Say in answers of chats what the model was asked and what it wrote (__verbose)",
    };

    public void AddTo(Command verb)
    {
        foreach (Option option in (Option[])[_variables, _reasoning, _effort, _budget, _format, _beginsAnew, _raw])
            verb.Options.Add(option);
    }

    /// <summary>The variables that they set; null for none.</summary>
    /// <exception cref="UsageException">One makes no sense.</exception>
    public JsonObject? Variables(ParseResult parsed)
    {
        JsonObject variables = parsed.GetValue(_variables) is { } text ? Parse(text) : [];
        if (parsed.GetValue(_reasoning) is { } when && when != "auto")
            variables["enable_thinking"] = when switch
            {
                "on" => true,
                "off" => false,
                _ => throw new UsageException($"{_reasoning.Name} {Printable.Quote(when)}: expected on, off or auto"),
            };
        if (parsed.GetValue(_effort) is { } effort && effort != "default")
            variables["reasoning_effort"] = effort;
        return variables.Count > 0 ? variables : null;
    }

    /// <summary>Where thoughts are told.</summary>
    /// <exception cref="UsageException">The format is none.</exception>
    public ReasoningFormat Format(ParseResult parsed) => parsed.GetValue(_format) is not { } name ? ReasoningFormat.Apart
        : ReasoningFormats.Find(name)
            ?? throw new UsageException($"{_format.Name} {Printable.Quote(name)}: expected {string.Join(", ", ReasoningFormats.Names)}");

    /// <summary>Whether a last message of the assistant is gone on with.</summary>
    public bool GoesOn(ParseResult parsed) => !parsed.GetValue(_beginsAnew);

    /// <summary>Whether answers say what the model was asked.</summary>
    public bool TellsRaw(ParseResult parsed) => parsed.GetValue(_raw);

    /// <summary>Most tokens of thoughts; null for no bound.</summary>
    public int? Budget(ParseResult parsed) => parsed.GetValue(_budget) is { } most and >= 0 ? most : null;

    JsonObject Parse(string text)
    {
        try
        {
            if (JsonNode.Parse(text) is JsonObject variables)
                return variables;
        }
        catch (JsonException)
        {
            // see below
        }
        throw new UsageException($"{_variables.Name} {Printable.Quote(text)}: expected a JSON object such as {{\"enable_thinking\": false}}");
    }
}
