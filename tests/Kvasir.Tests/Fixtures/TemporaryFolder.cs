namespace Kvasir.Tests.Fixtures;

/// <summary>A folder of its own for one test, deleted with everything in it.</summary>
sealed class TemporaryFolder : IDisposable
{
    readonly string _path = Directory.CreateTempSubdirectory("kvasir-test-").FullName;

    public string this[string name] => Path.Combine(_path, name);

    /// <summary>The names of all files, for assertions that nothing was left behind.</summary>
    public string[] Files => [.. Directory.GetFiles(_path).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)];

    public string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(this[name], bytes);
        return this[name];
    }

    public void Dispose() => Directory.Delete(_path, recursive: true);
}
