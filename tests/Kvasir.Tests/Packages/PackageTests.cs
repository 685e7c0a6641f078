using System.Diagnostics;
using System.IO.Compression;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Packages;

/// <summary>What somebody has who takes the packages and not the sources.</summary>
public sealed class PackageTests(PackedLibraries packed) : IClassFixture<PackedLibraries>
{
    [Fact]
    public async Task A_new_program_asks_the_model_of_the_package_and_then_the_cache()
    {
        using var folder = new TemporaryFolder();
        string program = Example("Kvasir.Inference");
        Assert.Single(Regex.Matches(program, @"(?m)^using Kvasir\b"));
        await File.WriteAllTextAsync(folder["Program.cs"], program, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(folder["Guest.csproj"], Project(), TestContext.Current.CancellationToken);

        (int exitCode, string output, string errors) = await Dotnet(folder, "restore");
        Match missing = Regex.Match(output, "Unable to find package (?!Kvasir)[^ ]+");
        Assert.SkipWhen(missing.Success, $"needs the packages that the libraries need, in the folder of their restore: {missing.Value}");
        Assert.True(exitCode == 0, output + errors);
        (exitCode, output, errors) = await Dotnet(folder, "run", "--no-restore");
        Assert.True(exitCode == 0, output + errors);

        const string answer = @"Einar keeps the red lamp in the boat house\.";
        Match match = Regex.Match(output,
            $@"^{answer} 0 of (\d+) tokens were in the cache\.\r?\n{answer} (\d+) of (\d+) tokens were in the cache\.\r?\n$");
        Assert.True(match.Success, output);
        int[] tokens = [.. match.Groups.Values.Skip(1).Select(group => int.Parse(group.Value))];
        Assert.Equal([tokens[0], tokens[0] - 1, tokens[0]], tokens); // the last one is computed for its logits
    }

    [Theory, InlineData("Kvasir.Formats"), InlineData("Kvasir.KvCache"), InlineData("Kvasir.Inference")]
    public void A_package_says_what_it_is_and_under_which_terms(string library)
    {
        using ZipArchive package = ZipFile.OpenRead(packed.Package(library));
        using Stream nuspec = package.GetEntry($"{library}.nuspec")!.Open();
        XElement metadata = XDocument.Load(nuspec).Root!.Elements().Single();
        string Value(string name) => metadata.Elements().Single(element => element.Name.LocalName == name).Value;
        Assert.Equal((library, "MIT", "README.md"), (Value("id"), Value("license"), Value("readme")));
        Assert.NotEqual("Package Description", Value("description"));
        Assert.DoesNotContain(Checkout.Root, metadata.ToString(), StringComparison.Ordinal);
        string[] entries = [.. package.Entries.Select(entry => entry.FullName)];
        Assert.All([$"lib/net10.0/{library}.dll", $"lib/net10.0/{library}.xml", "README.md", "THIRD-PARTY-NOTICES.md"],
            name => Assert.Contains(name, entries));
        Assert.True(File.Exists(Path.ChangeExtension(packed.Package(library), "snupkg")), "no symbols");
    }

    /// <summary>The first program of a package's readme.</summary>
    static string Example(string library) =>
        Regex.Match(File.ReadAllText(Path.Combine(Checkout.Root, "src", library, "README.md")), "(?s)```csharp\n(.+?)```").Groups[1].Value;

    /// <summary>
    /// A project as <c>dotnet new console</c> and <c>dotnet add package</c> make it. Its packages come from the feed and from what lies
    /// here already, and are unpacked beside it.
    /// </summary>
    string Project() => $"""
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <ImplicitUsings>enable</ImplicitUsings>
            <Nullable>enable</Nullable>
            <RestoreSources>{packed.Folder}</RestoreSources>
            <RestorePackagesPath>packages</RestorePackagesPath>
            <RestoreFallbackFolders>{PackedLibraries.UserPackages()}</RestoreFallbackFolders>
            <NuGetAudit>false</NuGetAudit>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="Kvasir.Inference" Version="*-*" />
          </ItemGroup>
        </Project>
        """;

    static Task<(int ExitCode, string Output, string Errors)> Dotnet(TemporaryFolder folder, params string[] arguments) =>
        Programs.Run(new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = Path.GetDirectoryName(folder["Guest.csproj"])! });
}
