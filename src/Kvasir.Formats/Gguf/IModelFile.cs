namespace Kvasir.Formats.Gguf;

/// <summary>
/// A whole model as it is stored: its tensors, and what is said of it, by the names that GGUF has for both, whatever the files call them.
/// </summary>
public interface IModelFile : ITensorSource, IDisposable
{
    /// <summary>The keys and values.</summary>
    GgufMetadata Metadata { get; }

    /// <summary>Bytes of all files that hold tensors.</summary>
    long Length { get; }
}
