using System.Text.Json.Nodes;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.LlamaServer;

/// <summary>
/// A streamed answer of <c>/completion</c>: an event for each piece of text with its tokens, and one that says how it ended.
/// </summary>
sealed class CompletionStream(HttpContext context, ServedModel model, CompletionQuery query, CompletionRun run)
{
    readonly StreamTimings _timings = new(run);
    readonly Choice[] _choices = [.. Enumerable.Range(0, run.Request.Choices).Select(_ => new Choice())];
    GenerationResult? _first;

    /// <summary>Writes it; returns why the first answer ended.</summary>
    public async Task<string> Write()
    {
        using EventStream events = new(context.Response);
        await StreamPump.Run(run, events, piece => Send(events, piece), fail: null, context.RequestAborted);
        await events.Flush(context.RequestAborted);
        return CompletionAnswer.StopTypeOf(_first!);
    }

    void Send(EventStream events, ChoicePiece piece)
    {
        Choice choice = _choices[piece.Choice];
        foreach (PromptProgress progress in _timings.Progress(piece))
            events.Send(Chunk(piece.Choice, "") with { PromptProgress = progress }, LlamaServerJson.Default.CompletionChunk);
        Timings? timings = _timings.Take(piece);
        if (piece.Result is { } result)
        {
            Finish(events, piece.Choice, result);
            return;
        }
        if (piece.Piece.Token >= 0)
        {
            choice.Tokens.Add(piece.Piece.Token);
            choice.Count++;
        }
        if (piece.Piece.Logprobs is { } likely)
            choice.Likely.Add(TokenProbability.Of(likely, run.Request.Options.LogprobsAfterSampling, model.Engine.Model.Tokenizer));
        if (piece.Piece.Token < 0)
            choice.Rest += piece.Piece.Text; // the end, which no token brought
        else if (piece.Piece.Text.Length > 0)
        {
            events.Send(Chunk(piece.Choice, piece.Piece.Text) with
            {
                Timings = timings,
                CompletionProbabilities = choice.Likely.Count > 0 ? [.. choice.Likely] : null,
            }, LlamaServerJson.Default.CompletionChunk);
            choice.Tokens.Clear();
            choice.Likely.Clear();
        }
    }

    void Finish(EventStream events, int index, GenerationResult result)
    {
        if (index == 0)
            _first = result;
        CompletionAnswer answer = Completion.Of(index, result, model, query, run) with
        {
            Content = _choices[index].Rest,
            Tokens = [.. _choices[index].Tokens],
        };
        events.Send((JsonNode)answer.Fields(query.Fields), LlamaServerJson.Default.JsonNode);
    }

    CompletionChunk Chunk(int index, string text) => new(index, text, [.. _choices[index].Tokens], false, run.Slot, _choices[index].Count,
        run.Request.Prompts[index / run.Request.PerPrompt].Length);

    /// <summary>What of an answer has come and is not sent yet.</summary>
    sealed class Choice
    {
        public List<int> Tokens { get; } = [];

        public List<TokenProbability> Likely { get; } = [];

        public string Rest { get; set; } = "";

        public int Count { get; set; }
    }
}
