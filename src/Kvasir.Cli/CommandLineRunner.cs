using System.CommandLine;
using System.CommandLine.Parsing;
using Kvasir.Cli.Configuration;
using Kvasir.Cli.Verbs;
using Kvasir.Formats;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Templates;
using Kvasir.Planning.Traces;
using Kvasir.Vulkan.Devices;

namespace Kvasir.Cli;

/// <summary>Parses and runs a command line and turns what goes wrong into one line and an exit code.</summary>
static class CommandLineRunner
{

    public static int Run(RootCommand root, IReadOnlyList<string> args)
    {
        ParseResult parsed = root.Parse(args, Settings.Parser);
        if (args.Count == 0)
        {
            root.Parse("--help").Invoke(new InvocationConfiguration { Output = Console.Error });
            return ExitCode.Usage;
        }
        string[] errors = [.. Errors(parsed)];
        if (errors.Length > 0 && parsed.Action is not System.CommandLine.Help.HelpAction)
        {
            foreach (string error in errors)
                Terminal.Error(error);
            Terminal.Line($"`kvasir {string.Join(' ', Settings.Names(parsed.CommandResult).Append("--help"))}` lists what is possible.");
            return ExitCode.Usage;
        }
        return Guarded(parsed, () => parsed.Action == parsed.CommandResult.Command.Action ? Settle(root, args, parsed) : parsed);
    }

    /// <summary>The command line with what the environment and the user's file add. Help and the version need neither.</summary>
    static ParseResult Settle(RootCommand root, IReadOnlyList<string> args, ParseResult parsed)
    {
        if (parsed.CommandResult.Command.Name != ConfigVerb.Name) // which tells them itself
            EnvironmentSettings.Warn(root);
        ConfigFile file = ConfigFile.Read(root);
        file.WarnOfReaders(root);
        return Settings.Settle(parsed, file) ? root.Parse(args, Settings.Parser) : parsed;
    }

    /// <summary>Runs a verb; the expected kinds of failure become one line, and anything else is a bug that shows itself whole.</summary>
    static int Guarded(ParseResult parsed, Func<ParseResult> settle)
    {
        try
        {
            parsed = settle();
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (ContextExceededException e)
        {
            return Terminal.Error(e.Message + EngineFlags.MoreRoom(e), ExitCode.Failed);
        }
        catch (Exception e) when (e is UsageException or ArgumentException)
        {
            return Terminal.Error(e.Message + Settings.Explain(parsed, e.Message), ExitCode.Usage);
        }
        catch (Exception e) when (e is ModelFormatException or TemplateException or TraceFormatException or IOException
            or UnauthorizedAccessException or InsufficientMemoryException or LogitsException or VulkanException)
        {
            return Terminal.Error(e.Message + Settings.Explain(parsed, e.Message), ExitCode.Failed);
        }
    }

    /// <summary>One line per thing that is wrong. An unknown verb is also a missing one to the parser: say what was typed.</summary>
    static IEnumerable<string> Errors(ParseResult parsed) =>
        parsed.CommandResult.Command is RootCommand && parsed.UnmatchedTokens is [var unknown, ..]
            ? [$"unknown command or flag '{Printable.Line(unknown)}'"]
            : parsed.Errors.Count == 0 ? parsed.CommandResult.Children.Select(EmptyName).OfType<string>()
            : parsed.Errors.Select(error => Printable.Line(
                string.Join(' ', error.Message.Split(['\t', '\r', '\n', ' '], StringSplitOptions.RemoveEmptyEntries)), 4096)).Distinct();

    /// <summary>What is wrong with a file or directory of no name, which a script's empty variable makes; null where nothing is.</summary>
    static string? EmptyName(SymbolResult symbol) => symbol.Tokens.Any(token => token.Value.Length == 0) ? symbol switch
    {
        OptionResult { Option: { HelpName: "FILE", Name: var name } } => $"{name}: the file's name is empty",
        OptionResult { Option: { HelpName: "DIR", Name: var name } } => $"{name}: the directory's name is empty",
        ArgumentResult { Argument.Name: "IN" or "OUT" or "MODEL" or "FILE" } argument => $"{argument.Argument.Name}: the file's name is empty",
        _ => null,
    } : null;
}
