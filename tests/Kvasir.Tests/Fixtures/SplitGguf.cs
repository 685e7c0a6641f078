using Kvasir.Formats;
using Kvasir.Formats.Gguf;

namespace Kvasir.Tests.Fixtures;

/// <summary>Splits a GGUF file as llama.cpp's gguf-split does.</summary>
static class SplitGguf
{
    /// <param name="gguf">The file.</param>
    /// <param name="prefix">What the parts' paths begin with.</param>
    /// <param name="parts">Into how many it is split.</param>
    /// <param name="keys">Changes what a part (counted from 0) says of itself.</param>
    /// <param name="tensors">Which tensors a part has; every so many-th if null.</param>
    /// <returns>The path of the first part.</returns>
    public static string Write(string gguf, string prefix, int parts, Func<int, string, int, int>? keys = null,
        Func<int, int, bool>? tensors = null)
    {
        using GgufFile file = GgufFile.Open(gguf);
        for (int part = 0; part < parts; part++)
        {
            var writer = new GgufWriter();
            foreach (string key in part == 0 ? file.Metadata.Keys : [])
                writer.Set(key, file.Metadata[key]);
            foreach ((string key, int value) in new[] { ("no", part), ("count", parts), ("tensors.count", file.Tensors.Count) })
                writer.Set($"split.{key}", keys?.Invoke(part, key, value) ?? value);
            for (int i = 0; i < file.Tensors.Count; i++)
                if (tensors?.Invoke(part, i) ?? i % parts == part)
                    Add(writer, file, file.Tensors[i]);
            writer.Write(Path(prefix, part + 1, parts));
        }
        return Path(prefix, 1, parts);
    }

    public static string Path(string prefix, int number, int count) => $"{prefix}-{number:00000}-of-{count:00000}.gguf";

    static void Add(GgufWriter writer, GgufFile file, StoredTensor tensor) =>
        writer.Add(tensor.Name, tensor.Type, tensor.Shape, (first, rows) => file.Read(tensor, first, rows.Span));
}
