using System.Diagnostics;
using System.Text.Json;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Packages;

/// <summary>The libraries that these tests were built with, as packages in a folder that serves as a feed.</summary>
public sealed class PackedLibraries : IAsyncLifetime
{
    static readonly string[] s_libraries = ["Kvasir.Formats", "Kvasir.KvCache", "Kvasir.Inference"];

    readonly TemporaryFolder _folder = new();

    /// <summary>The feed.</summary>
    public string Folder => _folder["feed"];

    /// <summary>The file of a library's package.</summary>
    public string Package(string library) => Directory.GetFiles(Folder, $"{library}.?.*.nupkg").Single();

    /// <summary>A folder of the user's for packages, which holds all that the libraries need: nothing has to be fetched.</summary>
    public static string UserPackages()
    {
        string assets = Path.Combine(Checkout.Root, "artifacts/obj/Kvasir.Inference/project.assets.json");
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(assets));
        return json.RootElement.GetProperty("packageFolders").EnumerateObject().First().Name;
    }

    public async ValueTask InitializeAsync()
    {
        string configuration = new DirectoryInfo(AppContext.BaseDirectory).Name; // that of the tests: these libraries are built
        string[] projects = [.. s_libraries.Select(name => $"<Project Path=\"{Checkout.Root}/src/{name}/{name}.csproj\" />")];
        await File.WriteAllTextAsync(_folder["Libraries.slnx"], $"<Solution>{string.Concat(projects)}</Solution>");
        (int exitCode, string output, string errors) = await Programs.Run(
            new ProcessStartInfo("dotnet",
                ["pack", _folder["Libraries.slnx"], "--no-build", "--nologo", "-c", configuration, "-o", Folder]));
        Assert.True(exitCode == 0, output + errors);
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }
}
