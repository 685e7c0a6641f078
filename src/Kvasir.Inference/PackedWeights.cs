using System.Text.Json;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Hub;
using Kvasir.Formats.Models;
using Kvasir.Inference.Model;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Inference;

/// <summary>
/// A folder in which weights are kept as kernels read them. A model that is opened a second time is mapped from there instead of read,
/// hashed and packed again, and processes that use one model share its memory. Files are as large as the weights; those that were used
/// last are kept. A model counts as the same as long as its path, its header, and its files' sizes and times are; what is mapped is
/// summed first, and made again where it is damaged.
/// </summary>
/// <param name="folder">
/// The folder, which is made when it is needed. Nobody may write there who must not choose the model's answers.
/// </param>
/// <param name="maxBytes">Most bytes of all files, but for the model's that is being opened.</param>
/// <param name="note">Told in a line when weights cannot be kept, or were damaged; null for nobody.</param>
public sealed class PackedWeights(string folder, long maxBytes = PackedWeights.DefaultMaxBytes, Action<string>? note = null)
{
    /// <summary>Most bytes that are kept where nothing is said.</summary>
    public const long DefaultMaxBytes = 64L << 30;

    const string Ending = ".packed";
    const int NameDigits = 16, SampledTensors = 16;

    readonly KeptFiles _files = new(folder, Ending, maxBytes);

    /// <summary>Smaller models are packed sooner than looked for.</summary>
    internal long LeastBytes { get; init; } = 64 << 20;

    /// <summary>Deletes all of them. Processes that use one go on.</summary>
    /// <returns>How many, and their bytes.</returns>
    public (int Count, long Bytes) Clear() => _files.Clear();

    /// <summary>Has a model's read, if there are any, while what they belong to is looked at.</summary>
    internal void ReadAhead(IModelFile file) => MappedFile.ReadAhead(PathOf(file));

    /// <summary>Where a model's are kept; null for a model that is not worth it.</summary>
    internal PackedModel? Of(IModelFile file, ModelSpec spec)
    {
        if (file.Length < LeastBytes || file.Length > maxBytes)
            return null;
        using FieldHasher hasher = new();
        return new PackedModel(_files, PathOf(file), Origin(hasher, file, spec), note ?? (_ => { }));
    }

    string PathOf(IModelFile file)
    {
        using FieldHasher hasher = new();
        string name = hasher.Add(Path.GetFullPath(file.Path)).Finish().ToString()[..NameDigits];
        return Path.Combine(Path.GetFullPath(folder), name + Ending);
    }

    /// <summary>What a model's weights would be packed of, as far as can be told without reading them.</summary>
    static Digest Origin(FieldHasher hasher, IModelFile file, ModelSpec spec)
    {
        hasher.Add(JsonSerializer.SerializeToUtf8Bytes(spec, SpecJson.Default.ModelSpec));
        foreach (FileInfo part in ModelFiles.PartsOf(file.Path))
            hasher.Add(part.Name).Add(part.Length).Add(part.LastWriteTimeUtc.Ticks);
        foreach (StoredTensor tensor in file.Tensors)
            hasher.Add(tensor.Name).Add(tensor.Type.DisplayName()).Add(tensor.ShapeText).Add(tensor.Offset);
        int step = Math.Max(1, file.Tensors.Count / SampledTensors);
        for (int i = 0; i < file.Tensors.Count; i += step) // what was changed without its time being noted differs there, too
            hasher.Add(file.ReadRow(file.Tensors[i], file.Tensors[i].Rows / 2));
        return hasher.Finish();
    }
}
