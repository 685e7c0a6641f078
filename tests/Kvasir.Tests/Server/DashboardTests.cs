using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Kvasir.Server;
using Kvasir.Server.Security;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>
/// The dashboard in a browser, as its own tests drive it: before pretended servers, and before this one with a key. Alone, since a browser
/// that waits for a processor sees only the end of what it should have watched.
/// </summary>
[Collection(nameof(DashboardTests)), CollectionDefinition(nameof(DashboardTests), DisableParallelization = true)]
public sealed class DashboardTests
{
    const string Key = "dashboard-0123456789";

    static readonly string s_folder = Path.Combine(Checkout.Root, "src", "Kvasir.Server", "Dashboard");

    /// <summary>Reasoning, tools and failures, which no real model does when it is asked to, and a page that a key opens.</summary>
    [Fact]
    public async Task The_page_shows_what_pretended_servers_say() => await Run(["chat"], []);

    [Fact]
    public async Task The_page_works_with_a_server_that_has_keys()
    {
        await using ServerFixture server = await ServerFixture.Start(
            options: new ServerOptions { ApiKeys = [new ApiKey(Key)], ShowsText = true });
        await Run(["chat", "numbers"], new() { ["KVASIR_URL"] = server.Server.Address, ["KVASIR_KEY"] = Key });
    }

    static async Task Run(string[] areas, Dictionary<string, string> environment)
    {
        string? browser = Environment.GetEnvironmentVariable("KVASIR_CHROMIUM") ?? Programs.Find("chromium") ?? Programs.Find("google-chrome");
        Assert.SkipWhen(browser is null, "needs Chromium, which is not installed, or KVASIR_CHROMIUM, which says where it is");
        await NpmPackages.Install(s_folder);
        ProcessStartInfo playwright = new("node", [Path.Combine("node_modules", "playwright", "cli.js"), "test", "--reporter=line",
            "--retries=0", .. areas.Select(area => $"{area}.spec.ts")])
        { WorkingDirectory = s_folder };
        (playwright.Environment["KVASIR_CHROMIUM"], playwright.Environment["KVASIR_MOCK_PORT"]) = (browser, $"{FreePorts(3)}");
        foreach ((string name, string value) in environment)
            playwright.Environment[name] = value;
        (int exitCode, string output, string errors) = await Programs.Run(playwright);
        Assert.True(exitCode == 0, output + errors);
        Assert.Matches(new Regex(@"^\s+\d+ passed", RegexOptions.Multiline), output);
        Assert.DoesNotMatch("flaky|did not run", output);
    }

    /// <summary>The first of some ports in a row that nobody has.</summary>
    static int FreePorts(int count)
    {
        while (true)
        {
            int first = Random.Shared.Next(20_000, 30_000); // below those that systems give to connections
            try
            {
                for (int port = first; port < first + count; port++)
                {
                    using TcpListener listener = new(IPAddress.Loopback, port);
                    listener.Start();
                }
                return first;
            }
            catch (SocketException)
            {
                // somebody has one of them
            }
        }
    }
}
