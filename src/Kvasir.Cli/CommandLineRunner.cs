using System.CommandLine;
using Kvasir.Formats;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Templates;
using Kvasir.Planning.Traces;

namespace Kvasir.Cli;

/// <summary>Parses and runs a command line and turns what goes wrong into one line and an exit code.</summary>
static class CommandLineRunner
{
    /// <summary>A prompt may begin with @: it names no file of arguments.</summary>
    static readonly ParserConfiguration s_parser = new() { ResponseFileTokenReplacer = null };

    public static int Run(RootCommand root, IReadOnlyList<string> args)
    {
        ParseResult parsed = root.Parse(args, s_parser);
        if (args.Count == 0)
        {
            root.Parse("--help").Invoke(new InvocationConfiguration { Output = Console.Error });
            return ExitCode.Usage;
        }
        if (parsed.Errors.Count > 0 && parsed.Action is not System.CommandLine.Help.HelpAction)
        {
            foreach (string error in Errors(parsed))
                Terminal.Error(error);
            Terminal.Line($"`kvasir {string.Join(' ', Path(parsed).Append("--help"))}` lists what is possible.");
            return ExitCode.Usage;
        }
        return Guarded(() => parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }));
    }

    /// <summary>Runs a verb; the expected kinds of failure become one line, and anything else is a bug that shows itself whole.</summary>
    static int Guarded(Func<int> verb)
    {
        try
        {
            return verb();
        }
        catch (ContextExceededException e)
        {
            return Terminal.Error(e.Message + EngineFlags.MoreRoom(e), ExitCode.Failed);
        }
        catch (UsageException e)
        {
            return Terminal.Error(e.Message, ExitCode.Usage);
        }
        catch (ArgumentException e)
        {
            return Terminal.Error(e.Message, ExitCode.Usage);
        }
        catch (Exception e) when (e is ModelFormatException or TemplateException or TraceFormatException or IOException
            or UnauthorizedAccessException or InsufficientMemoryException)
        {
            return Terminal.Error(e.Message, ExitCode.Failed);
        }
    }

    /// <summary>One line per thing that is wrong. An unknown verb is also a missing one to the parser: say what was typed.</summary>
    static IEnumerable<string> Errors(ParseResult parsed) =>
        parsed.CommandResult.Command is RootCommand && parsed.UnmatchedTokens is [var unknown, ..]
            ? [$"unknown command or flag '{Printable.Line(unknown)}'"]
            : parsed.Errors.Select(error => Printable.Line(string.Join(' ', error.Message.Split(['\t', '\r', '\n', ' '], StringSplitOptions.RemoveEmptyEntries)), 4096)).Distinct();

    static List<string> Path(ParseResult parsed)
    {
        List<string> names = [];
        for (var result = parsed.CommandResult; result.Parent is System.CommandLine.Parsing.CommandResult parent; result = parent)
            names.Insert(0, result.Command.Name);
        return names;
    }
}
