using System.CommandLine;
using System.Text;
using System.Text.Unicode;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Hub;
using Kvasir.Inference;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir tokenize</c>: a text as a model reads it.</summary>
sealed class TokenizeVerb
{
    static readonly Argument<string?> s_text = TextInput.CreateArgument("TEXT", "The text; without it, standard input");
    static readonly Option<string?> s_file = new("--file", "-f") { Description = "A text file instead", HelpName = "FILE" };
    static readonly Option<string> s_model = ModelOption.Create();
    static readonly Option<bool> s_special = new("--special") { Description = "Recognise control tokens such as <|im_start|> in the text" };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("tokenize") { s_text, s_file, s_model, s_special, s_json };
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        if (parsed.GetValue(s_text) is not null && parsed.GetValue(s_file) is not null)
            throw new UsageException("TEXT and --file both give the text: choose one");
        if (parsed.GetValue(s_text) is null && parsed.GetValue(s_file) is null && !Console.IsInputRedirected)
            throw new UsageException("no text: give it as an argument, with -f or on standard input");
        string text = parsed.GetValue(s_text) ?? TextInput.Read(parsed.GetValue(s_file) ?? "-");
        using IModelFile file = ModelFiles.Open(ModelOption.Resolve(parsed.GetRequiredValue(s_model)));
        Tokenizer tokenizer = Tokenizer.From(file);
        int[] tokens = parsed.GetValue(s_special) ? tokenizer.EncodeTemplate(text) : tokenizer.Encode(text);
        if (parsed.GetValue(s_json))
            VerbJson.Write(new TokenizeReport(tokens.Length, [.. tokens.Select(token => TokenizeToken.Of(tokenizer, token))]));
        else
            Print(tokenizer, tokens);
        return ExitCode.Ok;
    }

    static void Print(Tokenizer tokenizer, int[] tokens)
    {
        foreach (int token in tokens)
            Console.Out.WriteLine($"{token,7}  {Spell(tokenizer, token)}");
        Terminal.Line($"{tokens.Length:N0} tokens");
    }

    /// <summary>The text of a token in quotes, or its bytes where they are part of a character, or a control token's name.</summary>
    static string Spell(Tokenizer tokenizer, int token)
    {
        ReadOnlySpan<byte> bytes = tokenizer.Bytes(token);
        if (bytes.IsEmpty)
            return Printable.Line(tokenizer.Text(token));
        return Utf8.IsValid(bytes) ? $"\"{Printable.Line(Encoding.UTF8.GetString(bytes))}\"" : Convert.ToHexStringLower(bytes);
    }
}

sealed record TokenizeReport(int Count, IReadOnlyList<TokenizeToken> Tokens);

/// <summary>
/// A token's text, where it is text of its own, or a control token's name; and its bytes in hexadecimal, which may be part of a character.
/// </summary>
sealed record TokenizeToken(int Id, string? Text, string Bytes)
{
    public static TokenizeToken Of(Tokenizer tokenizer, int token)
    {
        ReadOnlySpan<byte> bytes = tokenizer.Bytes(token);
        string? text = bytes.IsEmpty ? tokenizer.Text(token) : Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : null;
        return new TokenizeToken(token, text, Convert.ToHexStringLower(bytes));
    }
}
