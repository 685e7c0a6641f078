using Kvasir.Cli.Flags;
using Kvasir.Formats.Quantization;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Cli;

/// <summary>Converted models that are kept: the newest of each, those used last of all, and none when they are cleared.</summary>
public sealed class ConvertedModelsTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_was_used_least_recently_gives_way()
    {
        string[] models = [.. Enumerable.Range(0, 3).Select(i => TinyModel.Llama.WriteTo(_folder[$"{i}.gguf"]))];
        ConvertedModels all = new(_folder["weights"]);
        string[] paths = [.. models.Select(model => Find(all, model))];
        for (int i = 0; i < 3; i++)
            File.SetLastWriteTimeUtc(paths[i], DateTime.UtcNow.AddHours(i - 5));
        long bytes = new FileInfo(paths[0]).Length;
        ConvertedModels two = new(_folder["weights"], bytes * 5 / 2);
        Assert.Equal(paths[0], Find(two, models[0])); // the oldest is used again; the next oldest goes
        Assert.Equal([paths[0], paths[2]], two.All().Select(model => model.Path));
        Assert.Equal($"{models[0]} --weights q8_0", two.All().First().Name);
        ConvertedModels none = new(_folder["weights"], 1);
        Assert.Equal(paths[1], Find(none, models[1])); // what is asked for is kept, whatever the bound
        Assert.Equal([paths[1]], none.All().Select(model => model.Path));
    }

    [Fact]
    public void Another_version_replaces_the_one_before_and_clearing_leaves_nothing()
    {
        string model = TinyModel.Llama.WriteTo(_folder["model.gguf"]);
        ConvertedModels all = new(_folder["weights"]);
        Assert.Equal((0, 0), all.Clear());
        string first = Find(all, model), mixed = Find(all, model, "q4_0");
        File.SetLastWriteTimeUtc(model, DateTime.UtcNow.AddMinutes(1));
        string second = Find(all, model);
        Assert.NotEqual(first, second);
        Assert.Equal([second, mixed], all.All().Select(each => each.Path));
        File.WriteAllText(Path.Combine(_folder["weights"], "killed.part"), "x");
        File.WriteAllText(Path.Combine(_folder["weights"], "running.part"), "x");
        File.SetLastWriteTimeUtc(Path.Combine(_folder["weights"], "killed.part"), DateTime.UtcNow.AddHours(-2));
        long bytes = new FileInfo(second).Length + new FileInfo(mixed).Length;
        Assert.Equal((2, bytes), all.Clear());
        Assert.Equal(["running.part"], Directory.EnumerateFiles(_folder["weights"]).Select(path => Path.GetFileName(path)));
    }

    static string Find(ConvertedModels models, string model, string mix = "q8_0") =>
        models.Find(model, WeightMix.All[mix], TestContext.Current.CancellationToken);
}
