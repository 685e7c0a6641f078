using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Kvasir.Tests.Fixtures;

/// <summary>Packages of npm that a folder of the checkout names.</summary>
static partial class NpmPackages
{
    /// <summary>
    /// Installs them once. npm writes the file that is looked for last, and what it has kept of an earlier time needs no network; without
    /// one it would try again for minutes, and the test skips.
    /// </summary>
    public static async Task Install(string folder)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "npm is a script there, which starts another way");
        Programs.Need("node", "npm");
        string installed = Path.Combine(folder, "node_modules", ".package-lock.json");
        if (File.Exists(installed) && File.GetLastWriteTimeUtc(installed) >= File.GetLastWriteTimeUtc(Path.Combine(folder, "package-lock.json")))
            return; // what is wanted now
        (int exitCode, string output, string errors) = await Programs.Run(
            new ProcessStartInfo("npm", ["ci", "--prefer-offline", "--fetch-retries=0", "--no-audit", "--no-fund"])
            {
                WorkingDirectory = folder,
            });
        Match unreached = Unreached().Match(errors);
        Assert.SkipWhen(exitCode != 0 && unreached.Success, $"needs the packages of {folder} from npm's registry, which is not reached: {unreached.Value}");
        Assert.True(exitCode == 0, output + errors);
    }

    [GeneratedRegex("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|E?TIMEDOUT|ERR_SOCKET_TIMEOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED")]
    private static partial Regex Unreached();
}
