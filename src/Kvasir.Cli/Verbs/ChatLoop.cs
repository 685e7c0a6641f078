using Kvasir.Cli.Sessions;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Cli.Verbs;

/// <summary>Reads turns and commands from standard input until it ends.</summary>
sealed class ChatLoop(RecordedConversation session, GenerationOptions options, bool json, bool verbose)
{
    const string Fence = "\"\"\"";

    Conversation Conversation => session.Conversation;

    GenerationResult? _last;
    volatile string? _mark; // what stands before the cursor while a terminal waits for a line

    public void Run()
    {
        if (!Console.IsInputRedirected)
            Terminal.Line($"{Conversation.Engine.Model.Config.Name}: {Fence} begins and ends a text of several lines, /help lists "
                + $"commands, Ctrl-D leaves.");
        Console.CancelKeyPress += StayAtThePrompt;
        while (ReadTurn() is { } turn && Handle(turn.Trim()))
            ;
        Console.CancelKeyPress -= StayAtThePrompt;
    }

    /// <summary>Ctrl-C during an answer belongs to <see cref="Interrupt"/>; at the prompt it only says how to leave.</summary>
    void StayAtThePrompt(object? sender, ConsoleCancelEventArgs e)
    {
        e.Cancel = true;
        if (_mark is { } mark)
            Console.Error.Write($"{Environment.NewLine}Ctrl-D or /exit leaves.{Environment.NewLine}{mark}");
    }

    /// <summary>A line, or everything between two fences; null at the end of the input.</summary>
    string? ReadTurn()
    {
        string? line = ReadLine("> ");
        if (line?.TrimStart().StartsWith(Fence, StringComparison.Ordinal) != true)
            return line;
        List<string> lines = [];
        for (string? next = line.TrimStart()[Fence.Length..]; next is not null; next = ReadLine("… "))
        {
            bool ends = next.TrimEnd().EndsWith(Fence, StringComparison.Ordinal);
            lines.Add(ends ? next.TrimEnd()[..^Fence.Length] : next);
            if (ends)
                break;
        }
        return string.Join('\n', lines);
    }

    string? ReadLine(string mark)
    {
        if (Console.IsInputRedirected)
            return Console.ReadLine();
        Console.Error.Write(_mark = mark);
        string? line = Console.ReadLine();
        _mark = null;
        if (line is null)
            Terminal.Line(""); // Ctrl-D leaves the cursor behind the mark
        return line;
    }

    /// <summary>Does what a turn says; false when it says goodbye.</summary>
    bool Handle(string turn)
    {
        switch (turn)
        {
            case "": break;
            case "/exit" or "/quit" or "/bye": return false;
            case "/reset": Reset(); break;
            case "/stats": Terminal.Line(Stats()); break;
            case "/help":
                Terminal.Line($"/reset forgets the conversation · /stats says what it takes · /exit leaves · {Fence} begins and "
                + $"ends a text of several lines · Ctrl-C stops an answer"); break;
            case ['/', .. string word] when !word.Contains(' ') && !word.Contains('/'):
                Terminal.Line($"no command /{word}: /help lists them"); break;
            default: Answer(turn); break;
        }
        return true;
    }

    void Reset()
    {
        session.Reset();
        Terminal.Line("The conversation is forgotten.");
    }

    void Answer(string message)
    {
        using Interrupt interrupt = new();
        try
        {
            PrefillMeter meter = new();
            _last = session.Say(message, options with { Progress = meter }, json ? _ => { } : Console.Out.Write, interrupt.Token);
            meter.Clear();
            if (json)
                VerbJson.Write(RunReport.Of(Conversation.Engine, _last, TimeSpan.Zero));
            else
                Finish(_last);
            if (verbose)
                KvText.Say(_last, Conversation.Engine.Model.Tokenizer);
        }
        catch (ContextExceededException e)
        {
            Terminal.Error(e.Message + (Conversation.HasBegun ? "; /reset begins anew" : EngineFlags.MoreRoom(e)));
        }
    }

    static void Finish(GenerationResult result)
    {
        Console.Out.WriteLine();
        if (result.FinishReason != FinishReason.Stop)
            Terminal.Line(GenerationLine.Of(result));
    }

    string Stats()
    {
        var (engine, layout, tokens) = (Conversation.Engine, Conversation.Engine.Layout, Conversation.Tokens.Length);
        string line = $"{tokens:N0} of {engine.Context:N0} tokens · KV {tokens * layout.BytesPerToken / 1048576.0:N1} MiB"
            + $" · pool {engine.Cache.Device.Counts.InFlight + engine.Cache.Device.Counts.Leased:N0} of "
            + $"{engine.Cache.Device.Counts.Total:N0} blocks of {layout.BlockTokens} tokens";
        return _last is null ? line : line + Environment.NewLine + "last answer: " + GenerationLine.Of(_last);
    }
}
