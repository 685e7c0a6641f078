using Kvasir.Formats;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Inference.Chat.Answers;

/// <summary>
/// How an answer to a prompt is made and read: what a grammar holds it to and from where on, how long it may think, and who reads its
/// parts.
/// </summary>
public sealed class AnswerPlan
{
    const string HarmonyTurn = "<|start|>assistant<|channel|>", HarmonyAnswer = "final<|message|>";

    readonly ChatPrompts _prompts;
    readonly AnswerWish _wish;
    readonly ThoughtFormat? _thoughts; // that may come
    readonly OutputGrammar? _grammar;

    /// <param name="prompts">The model's.</param>
    /// <param name="prompt">What is answered.</param>
    /// <param name="wish">What is wanted.</param>
    /// <exception cref="ToolSchemaException">A tool has to be called, and its schema cannot be held to.</exception>
    /// <exception cref="ArgumentException">The text that is gone on with does not allow it.</exception>
    public AnswerPlan(ChatPrompts prompts, ChatPrompt prompt, AnswerWish wish)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(wish);
        (_prompts, Prompt, _wish) = (prompts, prompt, wish);
        _thoughts = GoesOn ? null : prompts.Thoughts;
        if (GoesOn && wish.MustCall && prompts.Tools.Style == ToolStyle.Harmony)
            throw new ArgumentException("this model calls tools in messages of their own, expected no message to go on with, or no call");
        _grammar = Grammar();
        if (_grammar?.CanBeginWith(Behind) == false)
            throw new ArgumentException(
                $"the message that is gone on with begins with {Printable.Quote(Behind)}, "
                    + "expected the beginning of what the answer may be");
    }

    /// <summary>What is answered.</summary>
    public ChatPrompt Prompt { get; }

    /// <summary>Whether a text is gone on with, behind all thoughts.</summary>
    bool GoesOn => Prompt.Continues.Length > 0 && !Prompt.OpensThoughts;

    /// <summary>What of a text that is held to a grammar is there.</summary>
    string Behind => !GoesOn || _wish.MustCall ? ""
        : _prompts.Thoughts?.End is { } end && Prompt.Continues.LastIndexOf(end, StringComparison.Ordinal) is >= 0 and var at
            ? Prompt.Continues[(at + end.Length)..].TrimStart()
        : Prompt.Continues;

    /// <summary>The same options, with what the answer is held to.</summary>
    public GenerationOptions Apply(GenerationOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options with
        {
            Grammar = _grammar,
            GrammarBehind = Behind,
            Spelled = _prompts.Markers(withTools: _wish.Tools.Count > 0),
            Thoughts = _thoughts is null ? null : new ThoughtOptions(_thoughts.Begin, _thoughts.End)
            {
                AreOpen = Prompt.OpensThoughts,
                AreText = !_wish.SplitsThoughts,
                Budget = _wish.ThoughtBudget,
                Frame = !_thoughts.IsHarmony ? "" : _grammar is null ? HarmonyTurn + HarmonyAnswer : HarmonyTurn,
            },
        };
    }

    /// <summary>Reads one answer.</summary>
    public AnswerReader NewReader() => new(
        _wish.SplitsThoughts || _prompts.Thoughts is { IsHarmony: true } ? _prompts.Thoughts : null,
        _wish.Tools.Count > 0 ? _prompts.Tools : null, [.. _wish.Tools.Select(tool => tool.Name)], Prompt, _wish.SplitsThoughts);

    OutputGrammar? Grammar()
    {
        OutputGrammar? form = _wish.Form is { } wanted && _thoughts is { IsHarmony: true }
            ? OutputGrammar.Sequence(OutputGrammar.Literal(HarmonyAnswer), wanted) : _wish.Form;
        if (_wish.Tools.Count == 0 || (form is null && !_wish.MustCall && !_prompts.Tools.IsGeneric))
            return form;
        OutputGrammar calls = _prompts.Tools.Calls(_wish.Tools, _wish.Several, isLoose: !_wish.MustCall);
        return _wish.MustCall ? calls
            : form is not null ? OutputGrammar.AnyOf(calls, form)
            : OutputGrammar.Sequence(
                OutputGrammar.Without(_prompts.Tools.Begin.TrimEnd()), OutputGrammar.AnyOf(OutputGrammar.Literal(""), calls));
    }
}
