using System.Globalization;
using Kvasir.Cli.Output;
using Kvasir.Cli.Stores;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Hub;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.KvCache.Prefixes;
using Spectre.Console;

namespace Kvasir.Cli.Flags;

/// <summary>
/// Models with other types of weights than they came with, in <c>weights</c> under Kvasir's cache directory. A file's name says of which
/// model it is and which version of it, by names, sizes and times of the files; of a model and a type only the newest is kept, and of all
/// of them those that were used last, up to a bound.
/// </summary>
/// <param name="folder">Where they lie.</param>
/// <param name="maxBytes">Most bytes of all of them, but for the one that is asked for.</param>
sealed class ConvertedModels(string folder, long maxBytes = ConvertedModels.MostBytes)
{
    /// <summary>Most bytes that are kept.</summary>
    public const long MostBytes = 64L << 30;

    const int NameDigits = 16, Version = 3; // another one where the same files would be converted to others
    const string Origin = "kvasir.converted_from", Store = "weights";

    readonly KeptFiles _files = new(folder, ".gguf", maxBytes);

    /// <summary>The user's.</summary>
    /// <exception cref="UsageException">There is no directory to keep them in.</exception>
    public static ConvertedModels OfUser() => new(Path.Combine(
        CacheFolder.Find() ?? throw new UsageException("--weights: there is no home and no XDG_CACHE_HOME to keep them in"), "weights"));

    /// <summary>The path of a model with matrices of another type, which is converted if that has not been done.</summary>
    public string Find(string model, WeightMix mix, CancellationToken cancellation)
    {
        string full = Path.GetFullPath(model), source = Hash(hasher => hasher.Add(full)), suffix = $"-{mix.Name}.gguf";
        string path = Path.Combine(folder, $"{source}-{Hash(hasher => AddVersion(hasher, full))}{suffix}");
        if (!File.Exists(path))
        {
            Convert(full, mix, path, cancellation);
            foreach (FileInfo old in new DirectoryInfo(folder).EnumerateFiles($"{source}-*{suffix}"))
                if (old.FullName != path)
                    KeptFiles.Delete(old);
        }
        KeptFiles.Use(path);
        _files.Bound(path, new FileInfo(path).Length, GiveWay);
        return path;
    }

    /// <summary>All of them, the last used first, by the words that lead to them.</summary>
    public IEnumerable<LocalModel> All() => _files.All().Select(file => new LocalModel(NameOf(file.FullName), file.FullName, Store));

    /// <summary>Deletes all of them.</summary>
    /// <returns>How many, and their bytes.</returns>
    public (int Count, long Bytes) Clear() => _files.Clear();

    void Convert(string model, WeightMix mix, string path, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        Dictionary<string, string> origin = new() { [Origin] = model };
        using (IModelFile input = ModelFiles.Open(model))
            Terminal.Notes.Progress().HideCompleted(true).Start(context => Quantizer.Quantize(
                input, path, mix, origin, new QuantizeBar(context.AddTask($"convert to {mix.Name}")), cancellation));
        Terminal.Line($"weights in {mix.Name}: {Printable.Line(path, 4096)}, {ByteSize.Text(new FileInfo(path).Length)}");
    }

    void GiveWay(FileInfo file) =>
        Terminal.Line($"weights: {NameOf(file.FullName)}, used least recently, gives way: {ByteSize.Text(maxBytes)} are kept");

    /// <summary>What leads to a file: the model that it is of, and the flag. Its path where it does not say so.</summary>
    static string NameOf(string path)
    {
        try
        {
            using GgufFile file = GgufFile.Open(path);
            return file.Metadata.TryGetString(Origin, out string? origin)
                ? $"{Printable.Line(origin, 4096)} --weights {Path.GetFileNameWithoutExtension(path).Split('-')[^1]}"
                : path;
        }
        catch (Exception e) when (e is ModelFormatException or IOException)
        {
            return path;
        }
    }

    static string Hash(Action<FieldHasher> add)
    {
        using var hasher = new FieldHasher();
        add(hasher);
        return hasher.Finish().ToString()[..NameDigits].ToLower(CultureInfo.InvariantCulture);
    }

    static void AddVersion(FieldHasher hasher, string path)
    {
        hasher.Add(Version);
        foreach (FileInfo file in ModelFiles.PartsOf(path))
            hasher.Add(file.Name).Add(file.Length).Add(file.LastWriteTimeUtc.Ticks);
    }
}
