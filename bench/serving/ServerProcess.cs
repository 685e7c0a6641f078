using System.ComponentModel;
using System.Diagnostics;

namespace Kvasir.Serving;

/// <summary>A process that was started for one round, and all that it started; disposing ends them and removes their folder.</summary>
sealed class ServerProcess : IDisposable
{
    const int KeptLines = 3;

    readonly Process _process;
    readonly string _folder = Directory.CreateTempSubdirectory("serving-").FullName;
    readonly Queue<string> _lastLines = []; // also its lock

    /// <exception cref="ServingException">There is no such program.</exception>
    public ServerProcess(ServerSpec spec, int port)
    {
        IReadOnlyList<string> command = spec.CommandAt(port, _folder);
        ProcessStartInfo start = new(command[0], command.Skip(1))
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += Keep;
        _process.ErrorDataReceived += Keep;
        try
        {
            _process.Start();
        }
        catch (Win32Exception e)
        {
            Directory.Delete(_folder, recursive: true);
            throw new ServingException($"--server {spec.Name}: {command[0]}: {e.Message}");
        }
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public bool HasExited => _process.HasExited;

    /// <summary>The last lines that it printed, joined.</summary>
    public string LastLines
    {
        get
        {
            lock (_lastLines)
                return string.Join(" / ", _lastLines);
        }
    }

    /// <summary>What it uses; null where the system does not tell.</summary>
    public ProcessUsage? Usage() => ProcessUsage.Of(_process.Id);

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.WaitForExit(TimeSpan.FromSeconds(10));
        _process.Dispose();
        try
        {
            Directory.Delete(_folder, recursive: true);
        }
        catch (IOException)
        {
            // Something still writes there. It is a temporary folder, and the measurement is made.
        }
    }

    void Keep(object sender, DataReceivedEventArgs e)
    {
        if (string.IsNullOrWhiteSpace(e.Data))
            return;
        lock (_lastLines)
        {
            _lastLines.Enqueue(e.Data.Length > 300 ? e.Data[..300] : e.Data);
            if (_lastLines.Count > KeptLines)
                _lastLines.Dequeue();
        }
    }
}
