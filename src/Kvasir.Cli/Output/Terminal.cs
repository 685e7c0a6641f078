using Spectre.Console;

namespace Kvasir.Cli.Output;

/// <summary>Everything that is not the answer goes to standard error.</summary>
static class Terminal
{
    /// <summary>For tables and progress: plain text where standard error is not a terminal.</summary>
    public static IAnsiConsole Notes { get; } = Create(Console.Error, Console.IsErrorRedirected);

    /// <summary>For tables that are the answer.</summary>
    public static IAnsiConsole Answers { get; } = Create(Console.Out, Console.IsOutputRedirected);

    /// <summary>Whether a line on standard error may be rewritten in place.</summary>
    public static bool CanRewrite => !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") != "dumb";

    /// <summary>
    /// The text that the answer goes on with, so that a reader sees the whole; a program that takes standard output gets the answer alone.
    /// </summary>
    public static void Beginning(string text)
    {
        if (!Console.IsErrorRedirected && !Console.IsOutputRedirected)
            Console.Error.Write(text);
    }

    public static void Line(string text) => Console.Error.WriteLine(text);

    public static int Error(string message, int exitCode = ExitCode.Usage)
    {
        Console.Error.WriteLine($"kvasir: {message.ReplaceLineEndings(" ")}");
        return exitCode;
    }

    static IAnsiConsole Create(TextWriter writer, bool redirected)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Interactive = redirected ? InteractionSupport.No : InteractionSupport.Detect,
        });
        if (redirected)
            console.Profile.Width = 160; // a pipe has no width; do not fold what a program will read
        return console;
    }
}
