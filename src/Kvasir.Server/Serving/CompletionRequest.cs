using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Security;

namespace Kvasir.Server.Serving;

/// <summary>What a request asks of the model, in whatever protocol it came.</summary>
sealed record CompletionRequest
{
    /// <summary>The path that it came by.</summary>
    public required string Endpoint { get; init; }

    /// <summary>Its id, as the answer names it.</summary>
    public required string Id { get; init; }

    /// <summary>The name by which the model was asked for; null for its first.</summary>
    public string? Model { get; init; }

    /// <summary>Tokens of the prompts, one or more.</summary>
    public required IReadOnlyList<int[]> Prompts { get; init; }

    /// <summary>How to go on from there.</summary>
    public required GenerationOptions Options { get; init; }

    /// <summary>How answers of a chat are read; null for texts that are gone on with.</summary>
    public AnswerPlan? Plan { get; init; }

    /// <summary>Whether thoughts are told.</summary>
    public bool TellsThoughts { get; init; } = true;

    /// <summary>How many answers to each.</summary>
    public int PerPrompt { get; init; } = 1;

    /// <summary>How many answers to all.</summary>
    public int Choices => Prompts.Count * PerPrompt;

    /// <summary>Tokens of all prompts.</summary>
    public int PromptTokens => Prompts.Sum(prompt => prompt.Length);

    /// <summary>Whether the prompt is a part of the answer's text, and what is told of the answer's tokens is told of its own.</summary>
    public bool Echoes { get; init; }

    /// <summary>How many of the likeliest tokens are told beside each of the prompt's, in vLLM's form; null for nothing.</summary>
    public int? PromptLogprobs { get; init; }

    /// <summary>Who asks.</summary>
    public required Principal Principal { get; init; }

    /// <summary>What keeps the cache of the request apart from others'.</summary>
    public required byte[] Salt { get; init; }

    /// <summary>What of the prompt is to be kept, and how long, if that was said.</summary>
    public KeepWish? Keep { get; init; }

    /// <summary>The slot under whose number it runs; null for any.</summary>
    public int? Slot { get; init; }

    /// <summary>Whether a stream is to say how far the prompt is.</summary>
    public bool TellsProgress { get; init; }

    /// <summary>Whether the answer, and each piece of a stream, is to say how long it took.</summary>
    public bool TellsTimings { get; init; }

    /// <summary>Whether the answer is to say what the model was asked and wrote.</summary>
    public bool TellsRaw { get; init; }

    /// <summary>Whether the answer is to say what the cache did.</summary>
    public bool Explains { get; init; }

    /// <summary>Options of one of the answers: each draws its own random numbers.</summary>
    public GenerationOptions OptionsOf(int choice) =>
        Options.Sampling.Seed is { } seed && choice % PerPrompt > 0
            ? Options with { Sampling = Options.Sampling with { Seed = seed + (ulong)(choice % PerPrompt) } }
            : Options;
}

/// <summary>A wish to keep a prompt's keys and values.</summary>
/// <param name="Tokens">The first so many tokens.</param>
/// <param name="Ttl">For how long.</param>
sealed record KeepWish(int Tokens, TimeSpan Ttl);
