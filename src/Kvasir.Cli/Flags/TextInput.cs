using System.CommandLine;
using System.Text;
using System.Text.RegularExpressions;
using Kvasir.Formats;

namespace Kvasir.Cli.Flags;

/// <summary>Text that a user gives on the command line, or names there: a file, or <c>-</c> for standard input.</summary>
static partial class TextInput
{
    const int MostBytes = 64 << 20;

    static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>
    /// An argument for text of the user's. The parser would take a mistyped flag for that text and complain about what follows it.
    /// </summary>
    public static Argument<string?> CreateArgument(string name, string description)
    {
        Argument<string?> argument = new(name) { Description = description, Arity = ArgumentArity.ZeroOrOne };
        argument.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: string text }] && Flag().IsMatch(text))
                result.AddError($"unknown option {Printable.Line(text)} (as text for {name}, it would have to come from standard input)");
        });
        return argument;
    }

    [GeneratedRegex(@"^--?[A-Za-z][\w-]*(=.*)?\z")]
    private static partial Regex Flag();

    public static string Read(string path)
    {
        if (path == "-")
            return Decode(StandardStreams.Input(), "standard input");
        if (Directory.Exists(path))
            throw new IOException($"{Printable.Line(path, 4096)}: a directory, expected a text file");
        if (!File.Exists(path))
            throw new IOException($"{Printable.Line(path, 4096)}: no such file");
        using FileStream stream = File.OpenRead(path);
        return Decode(stream, Printable.Line(path, 4096));
    }

    /// <summary>A text that is asked about.</summary>
    /// <exception cref="IOException">It cannot be read, or there is none.</exception>
    public static string ReadDocument(string path) => Read(path) is var text && !string.IsNullOrWhiteSpace(text)
        ? text
        : throw new IOException($"{(path == "-" ? "standard input" : Printable.Line(path, 4096))}: empty, expected a text");

    static string Decode(Stream stream, string name)
    {
        using var bytes = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        for (int read; (read = stream.Read(buffer)) > 0; bytes.Write(buffer, 0, read))
            if (bytes.Length + read > MostBytes)
                throw new IOException($"{name}: more than {MostBytes >> 20} MiB of text, which is the most that is read");
        return Decode(bytes.GetBuffer().AsSpan(0, (int)bytes.Length), name);
    }

    static string Decode(ReadOnlySpan<byte> bytes, string name)
    {
        if (bytes.StartsWith(Encoding.UTF8.Preamble))
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        if (bytes.IndexOf((byte)0) is >= 0 and int zero)
            throw new IOException($"{name}: byte 0x00 at offset {zero:N0}, expected text in UTF-8");
        try
        {
            return s_strict.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new IOException($"{name}: byte 0x{e.BytesUnknown?[0]:x2} at offset {e.Index:N0} is no UTF-8, expected text in UTF-8", e);
        }
    }
}
