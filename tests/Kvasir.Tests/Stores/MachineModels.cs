using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Kvasir.Cli.Stores;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Stores;

/// <summary>A user's folder with what other programs have downloaded into it, laid out as they do.</summary>
sealed class MachineModels : IDisposable
{
    public const string Commit = "0123456789012345678901234567890123456789";

    readonly TemporaryFolder _folder = new();

    public string Home => _folder["home"];

    public string Hub => Path.Combine(Home, ".cache", "huggingface", "hub");

    public string Ollama => Path.Combine(Home, ".ollama", "models");

    public ModelPlaces Places => ModelPlaces.Of(_ => null, Home);

    public LocalModels Models => new(Places);

    public void Dispose() => _folder.Dispose();

    /// <summary>Puts files into the hub's cache as its Python client does.</summary>
    public string AddToHub(string repository, params (string Path, byte[] Bytes)[] files)
    {
        string folder = Path.Combine(Hub, $"models--{repository.Replace("/", "--", StringComparison.Ordinal)}"),
            snapshot = Path.Combine(folder, "snapshots", Commit);
        Write(Path.Combine(folder, "refs", "main"), Encoding.ASCII.GetBytes(Commit));
        foreach ((string path, byte[] bytes) in files)
        {
            string blob = Path.Combine(folder, "blobs", Hash(bytes)), link = Path.Combine(snapshot, path);
            Write(blob, bytes);
            Directory.CreateDirectory(Path.GetDirectoryName(link)!);
            File.CreateSymbolicLink(link, Path.GetRelativePath(Path.GetDirectoryName(link)!, blob));
        }
        return snapshot;
    }

    /// <summary>Adds a model to Ollama's store.</summary>
    /// <param name="name">Where its manifest lies, below the registry.</param>
    /// <param name="layers">What it is made of: kinds and contents.</param>
    /// <returns>The path of the manifest.</returns>
    public string AddToOllama(string name, params (string Kind, byte[] Bytes)[] layers)
    {
        var list = new JsonArray();
        foreach ((string kind, byte[] bytes) in layers)
        {
            Write(Path.Combine(Ollama, "blobs", $"sha256-{Hash(bytes)}"), bytes);
            list.Add(new JsonObject
            {
                ["mediaType"] = $"application/vnd.ollama.image.{kind}", ["digest"] = $"sha256:{Hash(bytes)}", ["size"] = bytes.Length,
            });
        }
        return Write(Path.Combine(Ollama, "manifests", "registry.ollama.ai", name),
            Encoding.UTF8.GetBytes(new JsonObject { ["schemaVersion"] = 2, ["layers"] = list }.ToJsonString()));
    }

    public static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    public static string Write(string path, byte[] bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
