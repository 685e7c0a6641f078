using System.CommandLine;
using Kvasir.Inference;
using Kvasir.Inference.Formats;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir tokenize</c>: a text as a model reads it.</summary>
sealed class TokenizeVerb
{
    static readonly Argument<string?> s_text = new("TEXT") { Description = "The text; without it, standard input", Arity = ArgumentArity.ZeroOrOne };
    static readonly Option<string?> s_file = new("--file", "-f") { Description = "A text file instead", HelpName = "FILE" };
    static readonly Option<string> s_model = ModelOption.Create();
    static readonly Option<bool> s_special = new("--special") { Description = "Recognise control tokens such as <|im_start|> in the text" };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("tokenize", "Show a text as tokens: one per line, id and text") { s_text, s_file, s_model, s_special, s_json };
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
        using GgufFile file = GgufFile.Open(ModelOption.Resolve(parsed.GetRequiredValue(s_model)));
        Tokenizer tokenizer = Tokenizer.From(file);
        int[] tokens = parsed.GetValue(s_special) ? tokenizer.EncodeTemplate(text) : tokenizer.Encode(text);
        if (parsed.GetValue(s_json))
            Json.Write(new TokenizeReport(tokens.Length, [.. tokens.Select(token => new TokenizeToken(token, tokenizer.Text(token)))]));
        else
            Print(tokenizer, tokens);
        return CommandLineRunner.Ok;
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
        string text = System.Text.Encoding.UTF8.GetString(bytes);
        return text.Contains('\uFFFD') ? Convert.ToHexStringLower(bytes) : $"\"{Printable.Line(text)}\"";
    }
}

sealed record TokenizeReport(int Count, IReadOnlyList<TokenizeToken> Tokens);

sealed record TokenizeToken(int Id, string Text);
