using System.Globalization;
using Kvasir.Cli.Output;
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
/// model it is and which version of it, by names, sizes and times of the files; of a model and a type only the newest is kept.
/// </summary>
static class ConvertedModels
{
    const int NameDigits = 16;

    /// <summary>The path of a model with matrices of a type, which is converted if that has not been done.</summary>
    /// <exception cref="UsageException">There is no directory to keep it in.</exception>
    public static string Find(string model, TensorType type, CancellationToken cancellation)
    {
        string folder = Path.Combine(
            CacheFolder.Find() ?? throw new UsageException("--weights: there is no home and no XDG_CACHE_HOME to keep them in"), "weights");
        string full = Path.GetFullPath(model), source = Hash(hasher => hasher.Add(full)), suffix = $"-{type.DisplayName()}.gguf";
        string path = Path.Combine(folder, $"{source}-{Hash(hasher => AddVersion(hasher, full))}{suffix}");
        if (File.Exists(path))
            return path;
        Directory.CreateDirectory(folder);
        using (IModelFile input = ModelFiles.Open(model))
            Terminal.Notes.Progress().HideCompleted(true).Start(context => Quantizer.Quantize(
                input, path, type, null, new QuantizeBar(context.AddTask($"convert to {type.DisplayName()}")), cancellation));
        foreach (string old in Directory.EnumerateFiles(folder, $"{source}-*{suffix}"))
            if (old != path)
                File.Delete(old);
        Terminal.Line($"weights in {type.DisplayName()}: {Printable.Line(path, 4096)}, {ByteSize.Text(new FileInfo(path).Length)}");
        return path;
    }

    static string Hash(Action<FieldHasher> add)
    {
        using var hasher = new FieldHasher();
        add(hasher);
        return hasher.Finish().ToString()[..NameDigits].ToLower(CultureInfo.InvariantCulture);
    }

    static void AddVersion(FieldHasher hasher, string path)
    {
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
