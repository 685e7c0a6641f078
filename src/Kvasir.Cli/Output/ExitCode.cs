namespace Kvasir.Cli.Output;

/// <summary>What the command leaves to the shell.</summary>
static class ExitCode
{
    /// <summary>The command did what it was asked.</summary>
    public const int Ok = 0;

    /// <summary>It could not: a file, memory, a prompt that does not fit.</summary>
    public const int Failed = 1;

    /// <summary>It was asked for something that makes no sense.</summary>
    public const int Usage = 2;
}
