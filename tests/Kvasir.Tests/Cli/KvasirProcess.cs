using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Kvasir.Tests.Cli;

/// <summary>The real program as a child process, away from the checkout's folder, with all three streams redirected.</summary>
sealed partial class KvasirProcess : IDisposable
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    static readonly Lazy<string> s_cache = new(OwnCache);

    readonly Process _process;
    readonly Task<string> _errors;
    readonly StringBuilder _said = new();
    TaskCompletionSource _spoke = new(TaskCreationOptions.RunContinuationsAsynchronously); // the test must not go on inside ReadErrors

    KvasirProcess(IEnumerable<string> args, string? cache = null,
        IReadOnlyDictionary<string, string>? environment = null, string? folder = null, string? redirections = null)
    {
        ProcessStartInfo start = new(redirections is null ? "dotnet" : "/bin/sh")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
            WorkingDirectory = folder ?? Path.GetTempPath(),
        };
        foreach (string word in redirections is null ? [] : (string[])["-c", $"exec dotnet \"$@\" {redirections}", "sh"])
            start.ArgumentList.Add(word);
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "Kvasir.Cli.dll"));
        start.Environment["DOTNET_TC_QuickJitForLoops"] = "1"; // most of what is run here ends before a kernel compiled fully has paid
        start.Environment["XDG_CACHE_HOME"] = cache ?? s_cache.Value;
        start.Environment["XDG_CONFIG_HOME"] = Path.Combine(s_cache.Value, "no-settings"); // whoever runs the tests may have some
        foreach (string setting in start.Environment.Keys.Where(name => name.StartsWith("KVASIR_", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(setting);
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        foreach (string arg in args) start.ArgumentList.Add(arg);
        _process = Process.Start(start)!;
        _errors = Task.Run(() => ReadErrors(_process.StandardError)); // off the test's context, which Finish blocks
    }

    /// <summary>Its standard output, for tests that act while it runs.</summary>
    public StreamReader Output => _process.StandardOutput;

    /// <summary>Its id, for tests that look at it from outside.</summary>
    public int Id => _process.Id;

    /// <summary>Completes when something stands on its standard error, for tests that act while it runs.</summary>
    public Task FirstNote => Note(new Regex("."));

    /// <summary>Waits until its standard error has what a pattern looks for.</summary>
    public async Task<Match> Note(Regex pattern)
    {
        while (true)
        {
            bool isOver = _errors.IsCompleted;
            Task more;
            Match match;
            lock (_said)
                (more, match) = (_spoke.Task, pattern.Match(_said.ToString()));
            if (match.Success)
                return match;
            Assert.False(isOver, $"ended without {pattern}: {_said}");
            await Task.WhenAny(more, _errors);
        }
    }

    /// <summary>Starts the program and leaves its input open.</summary>
    public static KvasirProcess Start(params IEnumerable<string> args) => new(args);

    /// <summary>Starts the program with a folder for what it keeps between runs.</summary>
    public static KvasirProcess StartWith(string cache, params IEnumerable<string> args) => new(args, cache);

    /// <summary>
    /// Runs the program to its end with a folder for what it keeps between runs. Without one, all tests share one that is not the user's.
    /// </summary>
    public static KvasirResult RunWith(string cache, params IEnumerable<string> args)
    {
        using KvasirProcess process = new(args, cache);
        return process.Finish();
    }

    /// <summary>Starts the program in a folder, with another for what it keeps between runs.</summary>
    public static KvasirProcess StartAt(string folder, string cache, params IEnumerable<string> args) => new(args, cache, folder: folder);

    /// <summary>The same to its end.</summary>
    public static KvasirResult RunAt(string folder, string cache, params IEnumerable<string> args)
    {
        using KvasirProcess process = StartAt(folder, cache, args);
        return process.Finish();
    }

    /// <summary>Starts the program with variables of the environment.</summary>
    public static KvasirProcess StartIn(IReadOnlyDictionary<string, string> environment, params IEnumerable<string> args) =>
        new(args, environment: environment);

    /// <summary>Runs the program to its end with variables of the environment.</summary>
    public static KvasirResult RunIn(IReadOnlyDictionary<string, string> environment, params IEnumerable<string> args)
    {
        using KvasirProcess process = new(args, environment: environment);
        return process.Finish();
    }

    /// <summary>Runs the program to its end with a shell's redirections, such as <c>&lt;&amp;-</c>, which closes standard input.</summary>
    public static KvasirResult RunRedirected(string redirections, params IEnumerable<string> args)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the redirections are those of a Unix shell");
        using KvasirProcess process = new(args, redirections: redirections);
        return process.Finish();
    }

    /// <summary>Runs the program to its end on an empty input.</summary>
    public static KvasirResult Run(params IEnumerable<string> args) => RunOn("", args);

    /// <summary>Runs the program to its end.</summary>
    public static KvasirResult RunOn(string input, params IEnumerable<string> args)
    {
        using KvasirProcess process = new(args);
        process.Say(input);
        return process.Finish();
    }

    /// <summary>Writes to its input. A program that fails early does not read it.</summary>
    public void Say(string text)
    {
        try
        {
            _process.StandardInput.Write(text);
            _process.StandardInput.Flush();
        }
        catch (IOException)
        {
        }
    }

    /// <summary>What Ctrl-C sends.</summary>
    public void Interrupt()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows sends Ctrl-C to a whole console, this test included");
        using Process kill = Process.Start("kill", ["-INT", $"{_process.Id}"]);
        kill.WaitForExit();
    }

    /// <summary>Ends its input and waits for what else it has to say.</summary>
    public KvasirResult Finish()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
        }
        Task<string> output = _process.StandardOutput.ReadToEndAsync();
        if (!_process.WaitForExit(s_patience))
        {
            _process.Kill();
            Assert.Fail($"still running after {s_patience.TotalSeconds} s");
        }
        KvasirResult result = new(_process.ExitCode, output.GetAwaiter().GetResult().ReplaceLineEndings("\n"),
            Meters().Replace(_errors.GetAwaiter().GetResult().ReplaceLineEndings("\n"), ""));
        Assert.DoesNotContain("   at ", result.Output + result.Errors);
        Assert.InRange(result.ExitCode, 0, 2);
        return result;
    }

    /// <summary>How far long tasks are, which on a machine that others use any task may become: no part of what a test looks at.</summary>
    [GeneratedRegex(@"^(loading weights, [\d,]+ of [\d,]+ MiB|prefill [\d,]+ of [\d,]+ tokens, .* tok/s|checked [\d,]+ of [\d,]+ blocks)\n",
        RegexOptions.Multiline)]
    private static partial Regex Meters();

    static string OwnCache()
    {
        string folder = Directory.CreateTempSubdirectory("kvasir-test-cache-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Delete(folder);
        return folder;
    }

    static void Delete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (IOException)
        {
            // A killed child may still write there; an exception here would end the tests with a crash.
        }
    }

    async Task<string> ReadErrors(StreamReader errors)
    {
        char[] buffer = new char[4096];
        while (await errors.ReadAsync(buffer) is > 0 and int read)
        {
            TaskCompletionSource spoke = _spoke;
            lock (_said)
                (_, _spoke) = (_said.Append(buffer, 0, read), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            spoke.SetResult();
        }
        return _said.ToString();
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }
}

/// <summary>What a run of the program left, with line ends as <c>\n</c>.</summary>
sealed record KvasirResult(int ExitCode, string Output, string Errors)
{
    /// <summary>Standard output of a run that succeeded.</summary>
    public string Answer
    {
        get
        {
            Assert.True(ExitCode == 0, $"exit code {ExitCode}: {Errors}");
            return Output;
        }
    }

    /// <summary>The lines of a text that ends its last line.</summary>
    public static string[] Lines(string text)
    {
        Assert.True(text.Length == 0 || text[^1] == '\n', $"the last line has no end: {text}");
        return text.Length == 0 ? [] : text[..^1].Split('\n');
    }

    /// <summary>The one JSON object that is all of standard output.</summary>
    public JsonElement Json => JsonElement.Parse(Assert.Single(Lines(Answer)));

    /// <summary>One JSON object for each line of standard output.</summary>
    public JsonElement[] JsonLines => [.. Lines(Answer).Select(line => JsonElement.Parse(line))];

    /// <summary>The command did what it was asked to.</summary>
    public KvasirResult Succeeds()
    {
        Assert.True(ExitCode == 0, Errors);
        return this;
    }

    /// <summary>
    /// A failure: nothing on standard output, and an error of one line (and where help is, if the command line is wrong).
    /// </summary>
    public void Fails(int exitCode, string expected)
    {
        Assert.Equal(exitCode, ExitCode);
        Assert.Empty(Output);
        string[] lines = Lines(Errors);
        Assert.StartsWith("kvasir: ", lines[0], StringComparison.Ordinal);
        Assert.Contains(expected, lines[0], StringComparison.Ordinal);
        Assert.All(lines[1..], line => Assert.EndsWith("--help` lists what is possible.", line, StringComparison.Ordinal));
        Assert.True(lines.Length <= 2, Errors);
    }
}
