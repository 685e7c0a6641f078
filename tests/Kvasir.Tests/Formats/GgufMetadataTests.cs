using System.Collections.Immutable;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Formats;

/// <summary>Getters take every type that can mean the value, and name file, key, what was seen and what was wanted otherwise.</summary>
public sealed class GgufMetadataTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<object> Sevens => [(byte)7, (sbyte)7, (ushort)7, (short)7, 7u, 7, 7UL, 7L];

    public static TheoryData<object> ArraysOfSevens =>
    [
        ImmutableArray.Create<byte>(7, 7), ImmutableArray.Create<sbyte>(7, 7), ImmutableArray.Create<ushort>(7, 7),
        ImmutableArray.Create<short>(7, 7),
        ImmutableArray.Create(7u, 7u), ImmutableArray.Create(7, 7), ImmutableArray.Create(7UL, 7UL), ImmutableArray.Create(7L, 7L),
    ];

    [Theory, MemberData(nameof(Sevens))]
    public void An_integer_of_any_width_is_an_integer(object value)
    {
        GgufMetadata metadata = Metadata(value);
        Assert.Equal(7, metadata.GetInt32("k"));
        Assert.Equal(7, metadata.GetInt64("k"));
        Assert.Equal(7, metadata.GetInt32("k", fallback: 1));
        Assert.True(metadata.TryGetInt32("k", out int found) && found == 7);
        Assert.Equal(value, metadata["k"]);
    }

    [Theory, MemberData(nameof(ArraysOfSevens))]
    public void An_array_of_integers_of_any_width_is_one(object value)
    {
        GgufMetadata metadata = Metadata(value);
        Assert.Equal([7, 7], metadata.GetInt32s("k"));
    }

    [Theory]
    [InlineData(uint.MaxValue, "4294967295"), InlineData(ulong.MaxValue, "18446744073709551615"),
        InlineData(long.MinValue, "-9223372036854775808")]
    public void An_integer_that_does_not_fit_is_refused(object value, string seen)
    {
        GgufMetadata metadata = Metadata(value);
        Refuses($"k: {seen}, expected an integer from -2147483648 to 2147483647", () => metadata.GetInt32("k"));
        Refuses($"k: {seen}, expected an integer from -2147483648 to 2147483647", () => metadata.GetInt32("k", fallback: 0));
    }

    [Fact]
    public void An_unsigned_integer_beyond_64_bits_with_sign_is_refused()
    {
        GgufMetadata metadata = Metadata(ulong.MaxValue);
        Refuses("k: 18446744073709551615, expected an integer from -9223372036854775808 to 9223372036854775807",
            () => metadata.GetInt64("k"));
    }

    [Fact]
    public void An_element_that_does_not_fit_is_refused_by_its_index()
    {
        GgufMetadata metadata = Metadata(ImmutableArray.Create(1u, uint.MaxValue));
        Refuses("k: 4294967295 at index 1, expected an integer from -2147483648 to 2147483647", () => metadata.GetInt32s("k"));
    }

    [Fact]
    public void Values_come_back_as_they_were_put_in()
    {
        GgufMetadata metadata = Metadata(
            "s", 1.5f, 2.5, true, ImmutableArray.Create("a", "é"), ImmutableArray.Create(1f, 2f), ImmutableArray.Create(0.5),
            ImmutableArray.Create(true, false));
        Assert.Equal("s", metadata.GetString("k"));
        Assert.Equal(1.5f, metadata.GetSingle("k1"));
        Assert.Equal(2.5f, metadata.GetSingle("k2"));
        Assert.True(metadata.GetBool("k3"));
        Assert.Equal(["a", "é"], metadata.GetStrings("k4"));
        Assert.Equal([1f, 2f], metadata.GetSingles("k5"));
        Assert.Equal([0.5f], metadata.GetSingles("k6"));
        Assert.Equal(ImmutableArray.Create(true, false), (ImmutableArray<bool>)metadata["k7"]);
        Assert.Equal("array of bool", metadata.TypeName("k7"));
    }

    [Fact]
    public void A_missing_key_is_named_or_gives_the_fallback()
    {
        GgufMetadata metadata = Metadata();
        Refuses("none: the key is missing, expected a string", () => metadata.GetString("none"));
        Refuses("none: the key is missing, expected an integer", () => metadata.GetInt32("none"));
        Refuses("none: the key is missing, expected an integer", () => metadata.GetInt64("none"));
        Refuses("none: the key is missing, expected a floating-point number", () => metadata.GetSingle("none"));
        Refuses("none: the key is missing, expected a bool", () => metadata.GetBool("none"));
        Refuses("none: the key is missing, expected an array of strings", () => metadata.GetStrings("none"));
        Refuses("none: the key is missing, expected an array of floating-point numbers", () => metadata.GetSingles("none"));
        Refuses("none: the key is missing, expected an array of integers", () => metadata.GetInt32s("none"));
        Refuses("none: the key is missing, expected a value", () => metadata["none"]);
        Assert.Equal(("f", 0.5f, true),
            (metadata.GetString("none", "f"), metadata.GetSingle("none", 0.5f), metadata.GetBool("none", true)));
        Assert.Equal((3, 4L), (metadata.GetInt32("none", 3), metadata.GetInt64("none", 4)));
        Assert.False(metadata.TryGetString("none", out _) || metadata.TryGetStrings("none", out _));
        Assert.False(metadata.TryGetInt32s("none", out _) || metadata.TryGetSingles("none", out _) || metadata.TryGetInt32("none", out _));
    }

    [Fact]
    public void Another_type_is_refused_even_where_there_is_a_fallback()
    {
        GgufMetadata metadata = Metadata("text", 7u, ImmutableArray.Create(1f));
        Refuses("k: a value of type string, expected an integer", () => metadata.GetInt32("k", 1));
        Refuses("k: a value of type string, expected a bool", () => metadata.GetBool("k", true));
        Refuses("k: a value of type string, expected an array of strings", () => metadata.TryGetStrings("k", out _));
        Refuses("k1: a value of type uint32, expected a string", () => metadata.GetString("k1", "f"));
        Refuses("k1: a value of type uint32, expected a floating-point number", () => metadata.GetSingle("k1", 1));
        Refuses("k2: a value of type array of float32, expected an array of integers", () => metadata.GetInt32s("k2"));
        Refuses("k2: a value of type array of float32, expected an integer", () => metadata.GetInt32("k2"));
    }

    GgufMetadata Metadata(params object[] values)
    {
        var writer = new GgufWriter();
        for (int i = 0; i < values.Length; i++) writer.Set(i == 0 ? "k" : $"k{i}", values[i]);
        writer.Write(_folder["model.gguf"]);
        using var file = GgufFile.Open(_folder["model.gguf"]);
        return file.Metadata;
    }

    void Refuses(string message, Func<object> read) =>
        Assert.Equal($"{_folder["model.gguf"]}: {message}", Assert.Throws<ModelFormatException>(read).Message);
}
