using System.Diagnostics;
using System.Text;
using Kvasir.Cli.Sessions;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Cli;

/// <summary>Transcripts as crashes, editors and strangers leave them: turns that are whole, or one line that says what is wrong.</summary>
public sealed class SessionFileTests : IDisposable
{
    const int Rounds = 1000;

    readonly TemporaryFolder _folder = new();

    string File => _folder["sessions/walk.jsonl"];

    public void Dispose() => _folder.Dispose();

    Session Open() => Session.Open(_folder[""], "walk");

    byte[] Written()
    {
        using (Session session = Open())
            for (int turn = 0; turn < 3; turn++)
                session.Add("Be brief.", $"Where is \"{turn}\"?", $"In the 山 \U0001F600\n{turn}.");
        return System.IO.File.ReadAllBytes(File);
    }

    [Fact]
    public void A_damaged_transcript_is_read_as_it_stands_or_refused_in_one_line_and_then_left_alone()
    {
        byte[] whole = Written();
        Random random = new(11);
        int refused = 0;
        for (int round = 0; round < Rounds; round++)
        {
            byte[] damaged = Damage(whole, random);
            System.IO.File.WriteAllBytes(File, damaged);
            try
            {
                using Session session = Open();
                Assert.All(session.Turns, turn => Assert.Contains(turn.Role, (string[])["system", "user", "assistant"]));
                Assert.True(session.Turns.Count == 0 || session.Turns[^1].Role == "assistant");
            }
            catch (IOException e)
            {
                refused++;
                Assert.StartsWith("session walk: line ", e.Message, StringComparison.Ordinal);
                Assert.DoesNotContain('\n', e.Message);
                Assert.Equal(damaged, System.IO.File.ReadAllBytes(File));
            }
        }
        Assert.InRange(refused, Rounds / 4, Rounds);
    }

    static byte[] Damage(byte[] whole, Random random)
    {
        byte[] damaged = random.Next(3) == 0 ? whole[..random.Next(whole.Length)] : [.. whole];
        for (int left = random.Next(4); left > 0 && damaged.Length > 0; left--)
            damaged[random.Next(damaged.Length)] = (byte)(random.Next(3) switch { 0 => random.Next(256), 1 => '\n', _ => '"' });
        return damaged;
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"role":"user","text":null}""")]
    [InlineData("""{"role":"tool","text":"x"}""")]
    [InlineData("""{"role":"user","text":"\ud800","at":"2026-01-01T00:00:00Z"}""")]
    [InlineData("""{"role":"user","text":"x","at":"the day before"}""")]
    [InlineData("""{"role":"user","text":{},"at":"2026-01-01T00:00:00Z"}""")]
    public void A_line_that_is_no_turn_is_named(string line)
    {
        Written();
        System.IO.File.AppendAllText(File, line + "\n");
        Assert.StartsWith("session walk: line 8: ", Assert.Throws<IOException>(() => Open().Dispose()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_file_is_refused_at_once()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links and pipes are those of Unix");
        Written();
        System.IO.File.Move(File, _folder["elsewhere"]);
        byte[] there = System.IO.File.ReadAllBytes(_folder["elsewhere"]);
        System.IO.File.CreateSymbolicLink(File, _folder["elsewhere"]);
        Assert.Contains("a link or a directory", Assert.Throws<IOException>(() => Open().Dispose()).Message, StringComparison.Ordinal);
        Assert.Equal(there, System.IO.File.ReadAllBytes(_folder["elsewhere"]));
        System.IO.File.Delete(File);
        using (Process pipe = Process.Start("mkfifo", [File]))
            pipe.WaitForExit();
        Assert.Contains("a pipe or a device", Assert.Throws<IOException>(() => Open().Dispose()).Message, StringComparison.Ordinal);
        System.IO.File.Delete(File);
        Directory.CreateDirectory(File);
        Assert.Contains("a link or a directory", Assert.Throws<IOException>(() => Open().Dispose()).Message, StringComparison.Ordinal);
    }
}
