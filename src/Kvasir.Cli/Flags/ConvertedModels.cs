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

    const int NameDigits = 16, Version = 2; // another one where the same files would be converted to others
    const string Origin = "kvasir.converted_from", Store = "weights";

    static readonly TimeSpan s_abandoned = TimeSpan.FromHours(1);

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
                    Delete(old);
        }
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow); // reading is noted by some file systems only, and by whoever lists models
        Bound(path);
        return path;
    }

    /// <summary>All of them, the last used first, by the words that lead to them.</summary>
    public IEnumerable<LocalModel> All() => Files().Select(file => new LocalModel(NameOf(file.FullName), file.FullName, Store));

    /// <summary>Deletes all of them.</summary>
    /// <returns>How many, and their bytes.</returns>
    public (int Count, long Bytes) Clear()
    {
        long[] gone = [.. Files().Select(file => (file.Length, IsGone: Delete(file))).Where(file => file.IsGone)
            .Select(file => file.Length)];
        DeleteAbandoned();
        return (gone.Length, gone.Sum());
    }

    void Convert(string model, WeightMix mix, string path, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        Dictionary<string, string> origin = new() { [Origin] = model };
        using (IModelFile input = ModelFiles.Open(model))
            Terminal.Notes.Progress().HideCompleted(true).Start(context => Quantizer.Quantize(
                input, path, mix, origin, new QuantizeBar(context.AddTask($"convert to {mix.Name}")), cancellation));
        Terminal.Line($"weights in {mix.Name}: {Printable.Line(path, 4096)}, {ByteSize.Text(new FileInfo(path).Length)}");
    }

    FileInfo[] Files() => Directory.Exists(folder)
        ? [.. new DirectoryInfo(folder).EnumerateFiles("*.gguf").OrderByDescending(file => file.LastWriteTimeUtc)]
        : [];

    /// <summary>Deletes what was used least recently, as far as there is more than the bound.</summary>
    void Bound(string used)
    {
        DeleteAbandoned();
        long kept = new FileInfo(used).Length;
        foreach (FileInfo file in Files().Where(file => file.FullName != used))
            if (kept + file.Length <= maxBytes)
                kept += file.Length;
            else if (NameOf(file.FullName) is var name && Delete(file))
                Terminal.Line($"weights: {name}, used least recently, gives way: {ByteSize.Text(maxBytes)} are kept");
    }

    /// <summary>What conversions that were killed have left.</summary>
    void DeleteAbandoned()
    {
        if (Directory.Exists(folder))
            foreach (FileInfo part in new DirectoryInfo(folder).EnumerateFiles("*.part"))
                if (DateTime.UtcNow - part.LastWriteTimeUtc > s_abandoned)
                    Delete(part);
    }

    /// <summary>A file that another process has open stays where the system wants it so.</summary>
    static bool Delete(FileInfo file)
    {
        try
        {
            file.Delete();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

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
        string[] files = Directory.Exists(path)
            ? [.. Directory.EnumerateFiles(path).Order(StringComparer.Ordinal)]
            : [.. GgufShards.PathsOf(path)];
        foreach (string file in files)
        {
            FileInfo info = new(file);
            FileSystemInfo target = info.ResolveLinkTarget(returnFinalTarget: true) ?? info;
            hasher.Add(Path.GetFileName(file)).Add(target is FileInfo { Exists: true } one ? one.Length : 0)
                .Add(target.LastWriteTimeUtc.Ticks);
        }
    }
}
