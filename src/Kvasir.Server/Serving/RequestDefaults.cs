using System.Text.Json.Nodes;
using Kvasir.Inference.Sampling;

namespace Kvasir.Server.Serving;

/// <summary>What holds where a request says nothing, in place of what its protocol has then.</summary>
public sealed record RequestDefaults
{
    /// <summary>How tokens are chosen: changes what a protocol has, in the parts of which the operator says something.</summary>
    public Func<SamplingOptions, SamplingOptions> Sampling { get; init; } = usual => usual;

    /// <summary>Most tokens of an answer; null for what a protocol has.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Texts that end an answer, of requests that name none.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];

    /// <summary>What the system says in conversations in which it says nothing; null for nothing.</summary>
    public string? SystemPrompt { get; init; }

    /// <summary>Most tokens of thoughts; null for no bound.</summary>
    public int? ThoughtBudget { get; init; }

    /// <summary>Whether chats of OpenAI's older protocol say what the model was asked and wrote.</summary>
    public bool TellsRaw { get; init; }

    /// <summary>Where thoughts are told.</summary>
    public ReasoningFormat ReasoningFormat { get; init; }

    /// <summary>Whether chats of OpenAI's older protocol go on with a last message of the assistant, rather than answer it.</summary>
    public bool GoesOnWithAnswers { get; init; } = true;

    /// <summary>Variables of the chat template that requests may overrule; null for none.</summary>
    public JsonObject? TemplateVariables { get; init; }
}
