using System.Security.Cryptography;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Model;

/// <summary>Weights that are kept as kernels read them: the same bytes the next time, and never others than the model's.</summary>
public sealed class PackedWeightsTests : IDisposable
{
    readonly TemporaryFolder _folder = new();
    readonly List<string> _notes = [];

    string Model => _folder["model.gguf"];

    string Kept => Assert.Single(Directory.GetFiles(_folder["packed"]));

    public PackedWeightsTests() => TinyModel.Llama.WriteTo(Model);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_second_time_they_are_mapped_and_the_same()
    {
        (string panels, string digest) = Load(packed: null);
        Assert.Equal((panels, digest), Load());
        File.SetLastWriteTimeUtc(Kept, DateTime.UtcNow.AddDays(-1));
        using (LanguageModel first = Open(), second = Open()) // two at once, one of them after the file was deleted
        {
            Assert.True(File.GetLastWriteTimeUtc(Kept) > DateTime.UtcNow.AddHours(-1), "use is noted, for those that give way");
            if (!OperatingSystem.IsWindows())
            {
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Kept));
                Assert.Equal(1, Packed().Clear().Count);
            }
            Assert.Equal(panels, Panels(second));
            Assert.Equal((digest, digest), (first.Digest.ToString(), second.Digest.ToString()));
        }
        Assert.Empty(_notes);
    }

    [Fact]
    public void Stacks_of_experts_are_mapped_too()
    {
        (TinyModel.GptOss with { FeedForward = 160, ExpertType = TensorType.MXFP4 }).WriteTo(Model); // five panels an expert
        (string panels, string digest) = Load(packed: null);
        Assert.Equal((panels, digest), Load());
        Assert.Equal((panels, digest), Load());
        Assert.NotEmpty(Kept);
    }

    [Theory]
    [InlineData(-1)] // the last byte of a panel, or what fills it up
    [InlineData(PanelFile.HeaderBytes + 1000)]
    [InlineData(70)] // the model's digest
    [InlineData(40)] // what they were packed of
    [InlineData(0)]
    public void What_is_damaged_is_made_again(int at)
    {
        (string Panels, string Digest) whole = Load();
        byte[] bytes = File.ReadAllBytes(Kept);
        bytes[at < 0 ? bytes.Length + at : at] ^= 0x10;
        File.WriteAllBytes(Kept, bytes);
        Assert.Equal(whole, Load());
        int damaged = at is < 0 or > PanelFile.HeaderBytes ? 1 : 0; // what the head says wrongly of itself is another model's
        Assert.Equal(damaged, _notes.Count(note => note.Contains("damaged", StringComparison.Ordinal)));
        Assert.Equal(whole, Load());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(PanelFile.HeaderBytes)]
    [InlineData(-1)]
    public void What_was_cut_off_is_made_again(int length)
    {
        (string Panels, string Digest) whole = Load();
        using (FileStream file = File.OpenWrite(Kept))
            file.SetLength(length < 0 ? file.Length + length : length);
        Assert.Equal(whole, Load());
        Assert.Equal(whole, Load());
    }

    [Fact]
    public void Another_model_under_the_same_path_is_not_taken_for_the_first()
    {
        (string Panels, string Digest) first = Load();
        (DateTime time, long length) = (File.GetLastWriteTimeUtc(Model), new FileInfo(Model).Length);
        (TinyModel.Llama with { Seed = 77 }).WriteTo(Model);
        File.SetLastWriteTimeUtc(Model, time); // as some tools do that copy or restore
        Assert.Equal(length, new FileInfo(Model).Length);
        (string Panels, string Digest) other = Load();
        Assert.NotEqual(first.Digest, other.Digest);
        Assert.Equal(Load(packed: null), other);
    }

    [Fact]
    public void Where_nothing_can_be_written_they_are_packed_as_ever()
    {
        (string Panels, string Digest) whole = Load(packed: null);
        File.WriteAllText(_folder["packed"], "a file where the folder should be");
        Assert.Equal(whole, Load());
        Assert.Contains("are not kept", Assert.Single(_notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Those_used_last_stay_and_small_models_are_left_out()
    {
        string other = TinyModel.Llama.WriteTo(_folder["other.gguf"]);
        Load();
        long bytes = new FileInfo(Kept).Length;
        string first = Kept;
        File.SetLastWriteTimeUtc(first, DateTime.UtcNow.AddHours(-3));
        File.WriteAllText(Path.Combine(_folder["packed"], "killed.part"), "x");
        File.SetLastWriteTimeUtc(Path.Combine(_folder["packed"], "killed.part"), DateTime.UtcNow.AddHours(-2));
        PackedWeights one = new(_folder["packed"], bytes * 3 / 2, _notes.Add) { LeastBytes = 0 };
        LanguageModel.Load(other, packed: one).Dispose();
        Assert.NotEqual(first, Kept);
        LanguageModel.Load(Model, packed: new PackedWeights(_folder["packed"], note: _notes.Add)).Dispose();
        Assert.NotEqual(first, Kept);
        Assert.Empty(_notes);
    }

    [Fact]
    public void A_model_that_cannot_be_read_leaves_nothing_behind()
    {
        using (FileStream file = File.OpenWrite(Model))
            file.SetLength(file.Length / 2);
        Assert.Throws<ModelFormatException>(() => Load());
        Assert.True(!Directory.Exists(_folder["packed"]) || Directory.GetFiles(_folder["packed"]) is []);
    }

    PackedWeights Packed() => new(_folder["packed"], note: _notes.Add) { LeastBytes = 0 };

    LanguageModel Open() => LanguageModel.Load(Model, packed: Packed());

    (string Panels, string Digest) Load() => Load(Packed());

    (string Panels, string Digest) Load(PackedWeights? packed)
    {
        using LanguageModel model = LanguageModel.Load(Model, packed: packed);
        return (Panels(model), model.Digest.ToString());
    }

    static unsafe string Panels(LanguageModel model)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        IEnumerable<PackedMatrix> ofLayers = model.Weights.Layers.SelectMany(layer => layer.Read).Select(read => read.Matrix);
        foreach (PackedMatrix matrix in ofLayers.Append(model.Weights.Output))
            hash.AppendData(new ReadOnlySpan<byte>(matrix.Panel(0), (int)matrix.Bytes));
        return Convert.ToHexString(hash.GetHashAndReset());
    }
}
