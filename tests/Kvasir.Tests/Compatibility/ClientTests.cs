using System.Reflection;
using Kvasir.Server;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Server;

namespace Kvasir.Tests.Compatibility;

/// <summary>Asks something of a server and sees that the answer is as a client expects.</summary>
delegate Task Show(ServerFixture server);

/// <summary>A client for .NET, or what one sends, against a server: each does the same few things in its own way.</summary>
public abstract class ClientTests
{
    private protected const string Model = "kvasir-saga", Question = "Who are you?";
    private protected const string Schema = """{"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["c", "f"]}}, "required": ["city", "unit"], "additionalProperties": false}""";

    /// <summary>As the table has it.</summary>
    private protected abstract string Client { get; }

    /// <summary>Null where it has none.</summary>
    private protected abstract string? Version { get; }

    /// <summary>Programs without which it cannot be tried.</summary>
    private protected virtual string[] Needs => [];

    /// <summary>What it shows, and how.</summary>
    private protected abstract Dictionary<Feature, Show> Shows { get; }

    [Fact]
    public async Task What_it_asks_is_answered_as_it_expects()
    {
        Programs.Need(Needs);
        string template = await File.ReadAllTextAsync(
            Path.Combine(Checkout.Root, "tests", "Kvasir.Tests", "Templates", "corpus", "qwen-tools.jinja"), ServerFixture.Patience);
        await using ServerFixture server = await ServerFixture.Start(
            options: new ServerOptions { ChatTemplate = template, AnswersToAllNames = true });
        Dictionary<Feature, bool> shown = [];
        List<string> failures = [];
        foreach ((Feature feature, Show show) in Shows)
            try
            {
                await show(server);
                shown[feature] = true;
            }
            catch (Exception e) when (!ServerFixture.Patience.IsCancellationRequested)
            {
                shown[feature] = false;
                failures.Add($"{feature}: {e}");
            }
        await server.AssertIdle();
        CompatibilityPage.Check(Client, Version, shown, string.Join('\n', failures));
    }

    /// <summary>The version of the package that a type is from.</summary>
    private protected static string VersionOf(Type type) =>
        type.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    /// <summary>A text is JSON and fits the schema.</summary>
    private protected static void Fits(string json)
    {
        System.Text.Json.JsonElement value = System.Text.Json.JsonElement.Parse(json);
        Assert.Equal(["city", "unit"], value.EnumerateObject().Select(member => member.Name).Order(StringComparer.Ordinal));
        Assert.Contains(value.GetProperty("unit").GetString(), (string[])["c", "f"]);
    }

    /// <summary>Leaves a long stream at its first piece, and sees that the server stops.</summary>
    private protected static async Task Leave<T>(ServerFixture server, IAsyncEnumerable<T> stream, Func<T, bool> isPiece)
    {
        await foreach (T piece in stream)
            if (isPiece(piece))
                break;
        await server.AssertIdle();
    }
}
