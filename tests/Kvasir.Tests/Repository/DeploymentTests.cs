using System.CommandLine;
using System.Text.RegularExpressions;
using Kvasir.Cli;
using Kvasir.Cli.Configuration;
using Kvasir.Tests.Fixtures;
using YamlDotNet.RepresentationModel;

namespace Kvasir.Tests.Repository;

/// <summary>Files of <c>deploy/</c>: every command line in them is one of ours, and everything that runs has limits.</summary>
public sealed partial class DeploymentTests
{
    static readonly RootCommand s_root = RootVerb.Create();

    [Fact]
    public void Compose_runs_a_store_and_two_servers_with_limits()
    {
        YamlMappingNode services = Map(Assert.Single(Documents("compose.yaml"))["services"]);
        string[] verbs = [.. services.Children.Values.Select(service => Command(Of(service, "command")!.ToString().Split(' ')))];
        Assert.Equal(["store", "serve", "serve"], verbs);
        Assert.All(services.Children.Values, service => Assert.Matches("^[0-9]+[mg]$", Of(service, "mem_limit")!.ToString()));
    }

    [Fact]
    public void Units_run_a_store_and_a_server_with_limits()
    {
        foreach ((string file, string verb) in ((string, string)[])[("kvasir-store.service", "store"), ("kvasir.service", "serve")])
        {
            Dictionary<string, string> unit = Unit(file);
            string[] words = unit["[Service] ExecStart"].Split(' ');
            Assert.Equal("/usr/local/bin/kvasir", words[0]);
            Assert.Equal(verb, Command(words[1..]));
            Assert.Matches("^[0-9]+[MG]$", unit["[Service] MemoryMax"]);
            Assert.Equal("multi-user.target", unit["[Install] WantedBy"]);
            Assert.Equal($"/var/cache/{unit["[Service] CacheDirectory"]}", words[Array.FindIndex(words, word => word is "--disk" or "--kv-dir") + 1]);
        }
    }

    [Fact]
    public void Manifests_run_a_store_and_servers_with_limits()
    {
        YamlMappingNode[] objects = [.. ((string[])["secret.yaml", "store.yaml", "server.yaml"]).SelectMany(file => Documents("kubernetes/" + file))];
        Assert.Equal(["Deployment", "Secret", "Service", "Service", "StatefulSet"], objects.Select(o => o["kind"].ToString()).Order());
        string[] verbs = [.. objects.Select(o => At(o, "spec", "template", "spec")).OfType<YamlMappingNode>().Select(Pod)];
        Assert.Equal(["store", "serve"], verbs);
        YamlNode secret = objects.Single(o => o["kind"].ToString() == "Secret")["stringData"];
        Assert.Equal(["store-password", "keys"], Map(secret).Children.Keys.Select(key => key.ToString()));
    }

    /// <summary>What the container of a pod runs, all of whose containers have limits and all of whose mounts are there.</summary>
    static string Pod(YamlMappingNode spec)
    {
        YamlNode[] containers = [.. List(spec["initContainers"]), .. List(spec["containers"])];
        string[] volumes = [.. List(spec["volumes"]).Select(volume => volume["name"].ToString())];
        Assert.All(containers, container =>
        {
            Assert.Matches("^[0-9]+[MG]i$", At(container, "resources", "limits", "memory")!.ToString());
            Assert.NotNull(At(container, "resources", "limits", "cpu"));
            Assert.All(List(container["volumeMounts"]), mount => Assert.Contains(mount["name"].ToString(), volumes));
        });
        return Command([.. List(containers[^1]["args"]).Select(argument => argument.ToString())]);
    }

    /// <summary>The verb of a command line, which the command takes as it stands and which says how much it may take.</summary>
    static string Command(string[] arguments)
    {
        ParseResult parsed = s_root.Parse(arguments, Settings.Parser);
        Assert.True(parsed.Errors.Count == 0, $"{string.Join(' ', arguments)}: {string.Join(' ', parsed.Errors.Select(error => error.Message))}");
        string verb = parsed.CommandResult.Command.Name;
        string[] limits = verb == "store" ? ["--memory", "--password-file"] : ["--kv-host", "--kv-device", "--kv-remote", "--api-key-file"];
        Assert.Empty(limits.Except(arguments));
        if (arguments.Contains("--disk") || arguments.Contains("--kv-dir"))
            Assert.Contains(arguments, argument => argument is "--disk-size" or "--kv-disk");
        return verb;
    }

    static string Text(string file) => File.ReadAllText(Path.Combine(Checkout.Root, "deploy", file)).ReplaceLineEndings("\n");

    static YamlMappingNode[] Documents(string file)
    {
        YamlStream stream = [];
        stream.Load(new YamlDotNet.Core.MergingParser(new YamlDotNet.Core.Parser(new StringReader(Text(file)))));
        return [.. stream.Documents.Select(document => Map(document.RootNode))];
    }

    /// <summary>Keys of a unit's file behind their section; each once.</summary>
    static Dictionary<string, string> Unit(string file)
    {
        Dictionary<string, string> keys = [];
        string section = "";
        foreach (string line in Continued().Replace(Text("systemd/" + file), " ").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line[0] != '#'))
            if (Section().IsMatch(line))
                section = line;
            else if (line.IndexOf('=') is > 0 and var end)
                keys.TryAdd($"{section} {line[..end]}", line[(end + 1)..]);
            else
                Assert.Fail($"{file}: saw '{line}', expected [SECTION] or KEY=VALUE");
        return keys;
    }

    static YamlMappingNode Map(YamlNode node) => Assert.IsType<YamlMappingNode>(node);

    static IEnumerable<YamlNode> List(YamlNode node) => Assert.IsType<YamlSequenceNode>(node).Children;

    static YamlNode? Of(YamlNode node, string key) =>
        ((YamlMappingNode)node).Children.TryGetValue(key, out YamlNode? value) ? value : null;

    static YamlNode? At(YamlNode node, params string[] path) =>
        path.Aggregate((YamlNode?)node, (at, key) => at is null ? null : Of(at, key));

    [GeneratedRegex(@" *\\\n *")]
    private static partial Regex Continued();

    [GeneratedRegex(@"^\[(Unit|Service|Install)\]$")]
    private static partial Regex Section();
}
