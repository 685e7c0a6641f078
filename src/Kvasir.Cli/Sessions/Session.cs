using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Cli.Sessions;

/// <summary>A turn of a transcript.</summary>
/// <param name="Role"><c>system</c>, <c>user</c> or <c>assistant</c>.</param>
/// <param name="Text">What was said.</param>
/// <param name="At">When.</param>
sealed record SessionTurn(string Role, string Text, DateTimeOffset At);

/// <summary>
/// A conversation that goes on after hours and restarts, with whatever model: its transcript as JSON lines beside the cache, one turn a
/// line, flushed when an answer ends. Its keys and values are found in the cache, or computed again where they are gone. Held by one
/// process at a time.
/// </summary>
sealed partial class Session : IDisposable
{
    const int MostBytes = 256 << 20;

    readonly FileStream _file;
    readonly string _name;
    readonly List<SessionTurn> _turns = [];
    int _keep; // bytes of whole turns

    Session(FileStream file, string name) => (_file, _name) = (file, name);

    /// <summary>Turns so far.</summary>
    public IReadOnlyList<SessionTurn> Turns => _turns;

    /// <summary>Opens a session of a name, or begins one.</summary>
    /// <exception cref="UsageException">The name is no name for a file.</exception>
    /// <exception cref="IOException">The transcript is damaged, in use, or cannot be written.</exception>
    public static Session Open(string kvFolder, string name)
    {
        if (!Name().IsMatch(name))
            throw new UsageException($"--session {Printable.Quote(name)}: expected 1 to 64 letters, digits, '-' and '_'");
        string folder = Path.Combine(kvFolder, "sessions");
        PrivateFolder.Create(folder);
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        FileStream file;
        string path = Path.Combine(folder, name + ".jsonl");
        if (new FileInfo(path).LinkTarget is not null || Directory.Exists(path))
            throw new IOException($"session {name}: {path}: a link or a directory, expected a file");
        try
        {
            file = new FileStream(path, options);
        }
        catch (IOException e)
        {
            throw new IOException($"session {name}: cannot be opened, perhaps because another process has it: {e.Message}", e);
        }
        var session = new Session(file, name);
        try
        {
            session.Read();
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>What was said so far.</summary>
    public ChatTranscript Transcript()
    {
        ChatTranscript transcript = new();
        foreach (SessionTurn turn in _turns)
            transcript.Add(turn.Role, turn.Text);
        return transcript;
    }

    /// <summary>Writes down a question and its answer.</summary>
    /// <param name="system">What the system says at the beginning; null for nothing.</param>
    /// <param name="question">The question.</param>
    /// <param name="answer">The answer.</param>
    public void Add(string? system, string question, string answer)
    {
        if (_turns.Count == 0 && system is not null)
            Write("system", system);
        Write("user", question);
        Write("assistant", answer);
        _file.Flush(flushToDisk: true);
    }

    /// <summary>Forgets all turns.</summary>
    public void Clear()
    {
        _turns.Clear();
        _file.SetLength(0);
    }

    /// <summary>Lets others have the session.</summary>
    public void Dispose() => _file.Dispose();

    /// <summary>
    /// A line without an end is what a process was writing when it died: it goes. An answer that is missing takes its question along.
    /// </summary>
    void Read()
    {
        if (!_file.CanSeek)
            throw new IOException($"session {_name}: {_file.Name}: a pipe or a device, expected a file");
        if (_file.Length > MostBytes)
            throw new IOException($"session {_name}: {_file.Length:N0} bytes, expected at most {MostBytes:N0}");
        byte[] bytes = new byte[_file.Length];
        _file.ReadExactly(bytes);
        int start = 0, whole = 0;
        for (int line = 1, end; (end = bytes.AsSpan(start).IndexOf((byte)'\n')) >= 0; line++, start += end + 1)
        {
            _turns.Add(Parse(bytes.AsSpan(start, end), line));
            if (_turns[^1].Role == "assistant")
                (whole, _keep) = (_turns.Count, start + end + 1);
        }
        _turns.RemoveRange(whole, _turns.Count - whole);
        _file.SetLength(_keep);
        _file.Position = _keep;
    }

    SessionTurn Parse(ReadOnlySpan<byte> line, int number)
    {
        try
        {
            SessionTurn? read = JsonSerializer.Deserialize(line, SessionJson.Default.SessionTurn);
            if (read is { Role: "system" or "user" or "assistant", Text: not null } turn)
                return turn;
            throw new IOException($"session {_name}: line {number}: expected role and text");
        }
        catch (JsonException e)
        {
            throw new IOException($"session {_name}: line {number}: {Printable.Line(e.Message, 200)}", e);
        }
    }

    void Write(string role, string text)
    {
        SessionTurn turn = new(role, text, DateTimeOffset.UtcNow);
        _turns.Add(turn);
        _file.Write(Encoding.UTF8.GetBytes(SessionJson.ToText(turn) + "\n"));
    }

    [GeneratedRegex(@"^[A-Za-z0-9_-]{1,64}\z")]
    private static partial Regex Name();
}
