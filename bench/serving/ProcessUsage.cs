using System.Globalization;

namespace Kvasir.Serving;

/// <summary>Memory and time of a process and of all that it started, from <c>/proc</c>.</summary>
/// <param name="ResidentBytes">Resident now; memory that processes share counts for each.</param>
/// <param name="PeakBytes">The sum of each one's largest resident memory.</param>
/// <param name="CpuSeconds">User and system time, of children that have ended too.</param>
readonly record struct ProcessUsage(long ResidentBytes, long PeakBytes, double CpuSeconds)
{
    const double TicksPerSecond = 100; // USER_HZ, which Linux fixes for programs
    const int ParentField = 1, UserTimeField = 11; // of stat, counted from behind the name

    /// <summary>What the process uses; null where there is no such process or no <c>/proc</c>.</summary>
    public static ProcessUsage? Of(int process)
    {
        if (!Directory.Exists($"/proc/{process}"))
            return null;
        ProcessUsage sum = default;
        foreach (int each in Family(process))
            if (Lines($"/proc/{each}/status") is { Length: > 0 } status && Stat(each) is { } stat)
                sum = new(sum.ResidentBytes + Kibibytes(status, "VmRSS:"),
                    sum.PeakBytes + Kibibytes(status, "VmHWM:"), sum.CpuSeconds + CpuTime(stat));
        return sum;
    }

    static List<int> Family(int process)
    {
        ILookup<int, int> children = Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out int id) ? id : 0)
            .Where(id => id > 0)
            .ToLookup(id => Stat(id) is { } stat ? int.Parse(stat[ParentField], CultureInfo.InvariantCulture) : 0);
        List<int> family = [process];
        for (int i = 0; i < family.Count; i++)
            family.AddRange(children[family[i]]);
        return family;
    }

    /// <summary>
    /// The fields of <c>/proc/PID/stat</c> behind the name, which may hold spaces and parentheses itself; null if the process is gone.
    /// </summary>
    static string[]? Stat(int process) =>
        Lines($"/proc/{process}/stat") is [var line, ..] ? line[(line.LastIndexOf(')') + 2)..].Split(' ') : null;

    /// <summary>utime, stime, cutime and cstime.</summary>
    static double CpuTime(string[] stat) =>
        stat.Skip(UserTimeField).Take(4).Sum(ticks => double.Parse(ticks, CultureInfo.InvariantCulture)) / TicksPerSecond;

    static long Kibibytes(string[] status, string name) =>
        status.FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal)) is { } line
            ? long.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) * 1024
            : 0;

    static string[] Lines(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return []; // it ended meanwhile
        }
    }
}
