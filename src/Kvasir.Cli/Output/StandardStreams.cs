using System.Runtime.InteropServices;

namespace Kvasir.Cli.Output;

/// <summary>
/// Streams that whoever started the program has closed (<c>2>&amp;-</c>). Their numbers then belong to the first files that the runtime
/// opens for itself, and what is read from or written to them is not for us.
/// </summary>
static partial class StandardStreams
{
    const int GetFlags = 1, CloseOnExec = 1; // the same on Linux and macOS

    /// <summary>
    /// Standard input that is closed is empty, and nothing is said where nobody hears it. An answer needs standard output.
    /// </summary>
    /// <returns>False without standard output.</returns>
    public static bool Settle()
    {
        if (!IsOurs(0))
            Console.SetIn(TextReader.Null);
        if (!IsOurs(2))
            Console.SetError(TextWriter.Null);
        return IsOurs(1);
    }

    /// <summary>Standard input's bytes.</summary>
    public static Stream Input() => IsOurs(0) ? Console.OpenStandardInput() : Stream.Null;

    /// <summary>
    /// Whether a number is open and was so before the program began: the runtime opens nothing that its children should have.
    /// </summary>
    static bool IsOurs(int file) =>
        OperatingSystem.IsWindows() || Control(file, GetFlags) is >= 0 and var flags && (flags & CloseOnExec) == 0;

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(int file, int command);
}
