using System.Text.Json;
using System.Text.Json.Serialization;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Tokenization;
using Kvasir.Server.Accounting;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.OpenAi;

/// <summary>The answer of <c>/v1/completions</c>, whole or in pieces.</summary>
sealed record TextCompletion(
    string Id, string Object, long Created, string Model, string SystemFingerprint, IReadOnlyList<TextChoice> Choices,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Usage? Usage,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Explanation? Kvasir,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Timings? Timings = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] PromptProgress? PromptProgress = null);

/// <summary>One of its choices.</summary>
sealed record TextChoice(int Index, string Text, TextLogprobs? Logprobs, string? FinishReason)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<IReadOnlyDictionary<string, PromptLogprob>?>? PromptLogprobs { get; init; }
}

/// <summary><c>POST /v1/completions</c>: a text to go on with, as a string or as tokens, one or several.</summary>
static class TextCompletions
{
    const int MostPrompts = 64, MostTokens = 1 << 20, DefaultTokens = 16;

    public static Task Handle(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, Endpoints.Completions, body => Complete(context, service, body));

    public static Task Complete(HttpContext context, CompletionService service, Field body)
    {
        CompletionRequest request = Read(body, service, Gate.PrincipalOf(context), RequestReader.Explains(context));
        string[] echoes = [.. request.Prompts.Select(prompt => request.Echoes ? service.Model.Engine.Model.Tokenizer.Decode(prompt) : "")];
        bool streams = body["stream"].Truth() ?? false, includesUsage = body["stream_options"]["include_usage"].Truth() ?? false;
        return service.Serve(context, request,
            run => streams ? Stream(context, service, run, echoes, includesUsage) : Answer(context, service, run, echoes));
    }

    /// <summary>Whether the prompt is a part of the answer's text; and then how likely its tokens were, if that is asked for.</summary>
    static bool Echoes(Field body) => body["echo"].Truth() ?? false;

    static int? EchoedLogprobs(Field body) => Echoes(body) ? body["logprobs"].Whole(0, GenerationOptions.MostLogprobs) : null;

    static int? MostOf(int? one, int? other) => one is null || other > one ? other : one;

    static CompletionRequest Read(Field body, CompletionService service, Principal principal, bool explains)
    {
        string name = RequestReader.CheckModel(body, service.Model);
        int perPrompt = body["n"].Whole(1, service.Options.MaxChoices) ?? 1;
        if (body["best_of"].Whole(0, service.Options.MaxChoices) is { } best and > 0 && best != perPrompt)
            throw body["best_of"].Wrong($"n, which is {perPrompt}");
        if (Echoes(body) && body["suffix"].Text() is { Length: > 0 })
            throw body["echo"].Wrong("either it or 'suffix'");
        IReadOnlyList<int[]> prompts = body["suffix"].Text() is { Length: > 0 }
            ? [FillIn.Prompt(body["prompt"], body["suffix"], service.Model)]
            : Prompts(body["prompt"], MostPrompts, service.Model.Engine);
        return new CompletionRequest
        {
            Endpoint = "/v1/completions",
            Id = $"cmpl-{Guid.NewGuid():N}",
            Model = name,
            Prompts = prompts,
            PerPrompt = perPrompt,
            Options = RequestReader.Options(body, MaxTokens(body),
                RequestReader.Stops(body["stop"]), service.Model) with
            {
                TopLogprobs = body["logprobs"].Whole(0, GenerationOptions.MostLogprobs),
                PromptLogprobs = MostOf(EchoedLogprobs(body), PromptLogprob.Wish(body)),
                Grammar = GrammarField.Read(body, body["response_format"], field => field["json_schema"]["schema"]),
                Retention = service.Model.Retention.Read(body, () => null),
            },
            Echoes = Echoes(body),
            PromptLogprobs = PromptLogprob.Wish(body),
            Principal = principal,
            Salt = RequestReader.Salt(body, principal),
            Keep = RequestReader.Ttl(body) is { } time ? new KeepWish(prompts[0].Length, time) : null,
            Explains = explains,
            TellsProgress = RequestReader.TellsProgress(body),
            TellsTimings = RequestReader.TellsTimings(body),
        };
    }

    static int? MaxTokens(Field body)
    {
        int? predicted = RequestReader.Predicted(body);
        return !body["max_tokens"].IsAbsent ? body["max_tokens"].Bound(0) : body["n_predict"].IsAbsent ? DefaultTokens : predicted;
    }

    /// <summary>A string, tokens, or a list of at most so many of either. None is empty.</summary>
    public static IReadOnlyList<int[]> Prompts(Field prompt, int most, InferenceEngine engine)
    {
        if (prompt.IsString)
            return [Text(prompt, engine)];
        if (prompt.IsAbsent)
            throw prompt.Missing("a string, tokens, or a list of them");
        if (!prompt.IsArray)
            throw prompt.Wrong("a string, tokens, or a list of them");
        if (prompt.Json.GetArrayLength() == 0)
            throw prompt.Wrong("at least one prompt");
        if (prompt.Json[0].ValueKind == JsonValueKind.Number || PromptField.IsMixed(prompt))
            return [Tokens(prompt, engine)];
        return prompt.Json.GetArrayLength() <= most
            ? [.. prompt.Items(most).Select(item => item.IsString ? Text(item, engine) : Tokens(item, engine))]
            : throw prompt.Wrong($"at most {most:N0} prompts");
    }

    static int[] Text(Field text, InferenceEngine engine)
    {
        BodyLimit.Check(text, engine.Context, engine.Model.Tokenizer.LongestToken);
        int[] tokens = engine.Model.Tokenizer.EncodePrompt(text.Text()!, engine.Context);
        if (tokens.Length > engine.Context) // before the next one becomes tokens
            throw new ContextExceededException(tokens.Length, engine.Context, engine.Model.Config.Context);
        return tokens.Length > 0 ? tokens : throw text.Wrong("at least one token");
    }

    /// <summary>Tokens, with texts among them where llama-server's clients have some.</summary>
    static int[] Tokens(Field list, InferenceEngine engine) => PromptField.IsMixed(list) ? [.. PromptField.Mixed(list, engine)]
        : list.Wholes(MostTokens, engine.Model.Tokenizer.VocabularySize - 1) is { Length: > 0 } tokens ? tokens
        : throw list.Wrong("at least one token");

    static async Task<string> Answer(HttpContext context, CompletionService service, CompletionRun run, string[] echoes)
    {
        (ChoiceText[] choices, GenerationResult[] results) = await ChoiceText.ReadAll(run);
        Tokenizer tokenizer = service.Model.Engine.Model.Tokenizer;
        TextChoice[] texts = [.. choices.Select((choice, i) => new TextChoice(i, echoes[i / run.Request.PerPrompt] + choice.Text,
            run.Request.Options.TopLogprobs is null ? null
                : new TextOffsets(tokenizer, run.Request, i).Of(run.Request.Echoes ? choice.PromptLogprobs : null, choice.Logprobs),
            ChatCompletions.FinishReasonOf(results[i], false))
        {
            PromptLogprobs = PromptLogprob.Of(choice.PromptLogprobs, run.Request.PromptLogprobs, tokenizer),
        })];
        TextCompletion body = Body(service.Model, run, texts, Usage.Of(run, results), run.ExplanationOf(results[0]));
        await context.Response.WriteAsJsonAsync(body with { Timings = Timings.Of(run, results[0]) },
            OpenAiJson.Wire.TextCompletion, cancellationToken: context.RequestAborted);
        return body.Choices[0].FinishReason!;
    }

    static async Task<string> Stream(HttpContext context, CompletionService service, CompletionRun run, string[] echoes, bool includesUsage)
    {
        using EventStream events = new(context.Response);
        void Write(TextCompletion body) => events.Send(body, OpenAiJson.Default.TextCompletion);
        void Send(TextChoice choice, Timings? took = null) => Write(Body(service.Model, run, [choice], null, null) with { Timings = took });
        string EchoOf(int choice) => echoes[choice / run.Request.PerPrompt];
        bool readsPrompt = run.Request.Options.PromptLogprobs is not null;
        for (int choice = 0; choice < run.Request.Choices && !readsPrompt; choice++)
            if (EchoOf(choice).Length > 0)
                Send(new TextChoice(choice, EchoOf(choice), null, null));
        await events.Flush(context.RequestAborted);
        var results = new GenerationResult[run.Request.Choices];
        StreamTimings timings = new(run);
        TextOffsets[] offsets = [.. Enumerable.Range(0, run.Request.Choices)
            .Select(i => new TextOffsets(service.Model.Engine.Model.Tokenizer, run.Request, i))];
        await StreamPump.Run(run, events, piece =>
        {
            foreach (PromptProgress progress in timings.Progress(piece))
                Write(Body(service.Model, run, [], null, null) with { PromptProgress = progress });
            Timings? took = timings.Take(piece);
            if (piece.Piece.PromptLogprobs is { } likely)
                Send(new TextChoice(piece.Choice, EchoOf(piece.Choice), offsets[piece.Choice].Of(likely, []), null));
            TextLogprobs? logprobs = piece.Piece.Logprobs is { } token ? offsets[piece.Choice].Of(null, [token]) : null;
            results[piece.Choice] = piece.Result ?? results[piece.Choice];
            if (piece.Piece.Text.Length > 0 || logprobs is not null || piece.Result is not null)
                Send(new TextChoice(piece.Choice, piece.Piece.Text, logprobs,
                    piece.Result is { } result ? ChatCompletions.FinishReasonOf(result, false) : null), took);
        }, fail: null, context.RequestAborted);
        if (includesUsage || run.Request.Explains)
            Write(Body(service.Model, run, [], includesUsage ? Usage.Of(run, results) : null,
                run.ExplanationOf(results[0])));
        events.SendDone();
        await events.Flush(context.RequestAborted);
        return ChatCompletions.FinishReasonOf(results[0], false);
    }

    static TextCompletion Body(ServedModel model, CompletionRun run, IReadOnlyList<TextChoice> choices,
        Usage? usage, Explanation? explanation) =>
        new(run.Request.Id, "text_completion", DateTimeOffset.UtcNow.ToUnixTimeSeconds(), run.ModelName,
            ChatCompletions.SystemFingerprint(model), choices, usage, explanation);
}
