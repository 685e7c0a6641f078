using System.Diagnostics;

namespace Kvasir.Inference.Measurement.Speed;

/// <summary>The most memory that this process had resident at once, mapped files included.</summary>
public static class PeakMemory
{
    /// <summary>Bytes since the start of the process or the last <see cref="Restart"/>; 0 where the system does not tell.</summary>
    public static long Bytes()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }

    /// <summary>Counts from now on, where the system can. Elsewhere what came before still counts.</summary>
    public static void Restart()
    {
        try
        {
            if (OperatingSystem.IsLinux())
                File.WriteAllText("/proc/self/clear_refs", "5"); // proc(5): resets the high-water mark
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}
