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
sealed record TextChoice(int Index, string Text, TextLogprobs? Logprobs, string? FinishReason);

/// <summary>How likely its tokens were, in the older form.</summary>
sealed record TextLogprobs(IReadOnlyList<string> Tokens, IReadOnlyList<float> TokenLogprobs,
    IReadOnlyList<IReadOnlyDictionary<string, float>> TopLogprobs)
{
    public static TextLogprobs Of(IEnumerable<TokenLogprob> tokens) => new(
        [.. tokens.Select(token => token.Token)], [.. tokens.Select(token => token.Logprob)],
        [.. tokens.Select(token => (IReadOnlyDictionary<string, float>)(token.TopLogprobs ?? []).DistinctBy(top => top.Token)
            .ToDictionary(top => top.Token, top => top.Logprob))]);
}

/// <summary><c>POST /v1/completions</c>: a text to go on with, as a string or as tokens, one or several.</summary>
static class TextCompletions
{
    const int MostPrompts = 64, MostTokens = 1 << 20, DefaultTokens = 16;

    public static Task Handle(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, Endpoints.Completions, async body =>
        {
            CompletionRequest request = Read(body, service, Gate.PrincipalOf(context), RequestReader.Explains(context));
            bool echoesPrompt = body["echo"].Truth() ?? false;
            string[] echoes =
                [.. request.Prompts.Select(prompt => echoesPrompt ? service.Model.Engine.Model.Tokenizer.Decode(prompt) : "")];
            bool streams = body["stream"].Truth() ?? false, includesUsage = body["stream_options"]["include_usage"].Truth() ?? false;
            await service.Serve(context, request,
                run => streams ? Stream(context, service, run, echoes, includesUsage) : Answer(context, service, run, echoes));
        });

    static CompletionRequest Read(Field body, CompletionService service, Principal principal, bool explains)
    {
        string name = RequestReader.CheckModel(body, service.Model);
        int perPrompt = body["n"].Whole(1, service.Options.MaxChoices) ?? 1;
        if (body["best_of"].Whole(1, service.Options.MaxChoices) is { } best && best != perPrompt)
            throw body["best_of"].Wrong($"n, which is {perPrompt}");
        IReadOnlyList<int[]> prompts = Prompts(body["prompt"], MostPrompts, service.Model.Engine);
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
                Grammar = GrammarField.Read(body, body["response_format"], field => field["json_schema"]["schema"]),
                Retention = service.Model.Retention.Read(body, () => null),
            },
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
        Tokenizer tokenizer = engine.Model.Tokenizer;
        if (prompt.IsString)
            return [Text(prompt, engine)];
        if (prompt.IsAbsent)
            throw prompt.Missing("a string, tokens, or a list of them");
        if (!prompt.IsArray)
            throw prompt.Wrong("a string, tokens, or a list of them");
        if (prompt.Json.GetArrayLength() == 0)
            throw prompt.Wrong("at least one prompt");
        if (prompt.Json[0].ValueKind == JsonValueKind.Number)
            return [Tokens(prompt, tokenizer)];
        return prompt.Json.GetArrayLength() <= most
            ? [.. prompt.Items(most).Select(item => item.IsString ? Text(item, engine) : Tokens(item, tokenizer))]
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

    static int[] Tokens(Field list, Tokenizer tokenizer) => list.Wholes(MostTokens, tokenizer.VocabularySize - 1) is { Length: > 0 } tokens
        ? tokens
        : throw list.Wrong("at least one token");

    static async Task<string> Answer(HttpContext context, CompletionService service, CompletionRun run, string[] echoes)
    {
        ChoiceText[] choices = [.. Enumerable.Range(0, run.Request.Choices).Select(_ => new ChoiceText(null))];
        GenerationResult[] results = await ChoiceText.ReadAll(run, choices);
        TextChoice[] texts = [.. choices.Select((choice, i) => new TextChoice(
            i, echoes[i / run.Request.PerPrompt] + choice.Text,
            ChoiceLogprobs.Of(choice, run.Request.Options, service.Model.Engine.Model.Tokenizer) is { } logprobs
                ? TextLogprobs.Of(logprobs.Content)
                : null, ChatCompletions.FinishReasonOf(results[i], false)))];
        TextCompletion body = Body(service.Model, run, texts, Usage.Of(run, results), run.ExplanationOf(results[0]));
        await context.Response.WriteAsJsonAsync(body with { Timings = Timings.Of(run, results[0]) },
            OpenAiJson.Wire.TextCompletion, cancellationToken: context.RequestAborted);
        return texts[0].FinishReason!;
    }

    static async Task<string> Stream(HttpContext context, CompletionService service, CompletionRun run, string[] echoes, bool includesUsage)
    {
        using EventStream events = new(context.Response);
        var results = new GenerationResult[run.Request.Choices];
        StreamTimings timings = new(run);
        void Write(TextCompletion body) => events.Send(body, OpenAiJson.Default.TextCompletion);
        void Send(TextChoice choice, Timings? timings = null) =>
            Write(Body(service.Model, run, [choice], null, null) with { Timings = timings });
        for (int i = 0; i < results.Length; i++)
            if (echoes[i / run.Request.PerPrompt].Length > 0)
                Send(new TextChoice(i, echoes[i / run.Request.PerPrompt], null, null));
        await StreamPump.Run(run, events, piece =>
        {
            if (timings.Progress(piece) is { } progress)
                Write(Body(service.Model, run, [], null, null) with { PromptProgress = progress });
            Timings? took = timings.Take(piece);
            TextLogprobs? logprobs = piece.Piece.Logprobs is { } likely
                ? TextLogprobs.Of([TokenLogprob.Of(likely, service.Model.Engine.Model.Tokenizer)])
                : null;
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
