using Kvasir.Inference.Chat;
using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>What the protocols of chats have in common: from a conversation to its prompt, and to how it is answered.</summary>
static class ChatPlans
{
    /// <summary>How a conversation is answered.</summary>
    /// <param name="model">Who is asked.</param>
    /// <param name="input">What is said.</param>
    /// <param name="choice">Which tools may be called.</param>
    /// <param name="thinking">How the model is to think.</param>
    /// <param name="form">What an answer may be that calls nothing; null for anything.</param>
    /// <param name="several">Whether several calls may come where answers are held to calls.</param>
    /// <param name="end">What the prompt ends with.</param>
    /// <exception cref="ContextExceededException">The prompt does not fit.</exception>
    /// <exception cref="RequestException">The message that is to be gone on with does not allow what is wanted.</exception>
    public static AnswerPlan Of(ServedModel model, ChatInput input, ToolChoice choice, Thinking thinking, OutputGrammar? form, bool several,
        PromptEnd end)
    {
        int context = model.Engine.Context;
        ChatPrompt prompt = input.Write(model, choice, thinking, end, most: context);
        if (prompt.Tokens.Length > context)
            throw new ContextExceededException(prompt.Tokens.Length, context, model.Engine.Model.Config.Context);
        try
        {
            return new AnswerPlan(model.Prompts, prompt, new AnswerWish
            {
                Tools = choice.Kind == ToolChoiceKind.None ? [] : choice.Tools,
                MustCall = choice.Kind == ToolChoiceKind.Required,
                Several = several,
                Form = form,
                ThoughtBudget = thinking.Effort.Budget ?? model.Defaults.ThoughtBudget,
                SplitsThoughts = thinking.Splits(model.Defaults.ReasoningFormat),
            });
        }
        catch (ArgumentException e)
        {
            throw new RequestException(400, $"messages: {e.Message}", "messages", "prefill");
        }
    }

    /// <summary>
    /// What the prompt of OpenAI's older protocol ends with: a last message of the assistant is gone on with unless the request says
    /// otherwise,
    /// as llama-server does it.
    /// </summary>
    /// <param name="body">The request.</param>
    /// <param name="input">Its conversation.</param>
    /// <param name="goesOn">Whether a last message of the assistant is gone on with where the request does not say.</param>
    public static PromptEnd End(Field body, ChatInput input, bool goesOn)
    {
        bool? wanted = body["continue_final_message"].Truth(), opens = body["add_generation_prompt"].Truth();
        if (wanted == true && opens == true)
            throw body["continue_final_message"].Wrong("either it or 'add_generation_prompt'");
        if (wanted == true && !input.EndsWithAnswer)
            throw body["continue_final_message"].Wrong("it only where the last message is the assistant's, with content and without calls");
        if (!(wanted ?? (goesOn && opens is null && input.EndsWithAnswer)))
            return opens ?? true ? PromptEnd.Answer : PromptEnd.Message;
        return !input.EndsWithTwoAnswers
            ? PromptEnd.OpenMessage
            : throw body["messages"].Wrong("one last message of the assistant to go on with, not two");
    }
}
