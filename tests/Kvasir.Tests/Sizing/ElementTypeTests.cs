using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.Planning.Sizing;

namespace Kvasir.Tests.Sizing;

/// <summary>Names of stored types, and their sizes.</summary>
public class ElementTypeTests
{
    /// <summary>
    /// Bits per weight, those of ggml's types with their scales
    /// (https://github.com/ggml-org/llama.cpp/blob/master/tools/quantize/README.md).
    /// </summary>
    [Theory]
    [InlineData("f32", 32), InlineData("BF16", 16), InlineData("fp8", 8), InlineData("int8", 8), InlineData("int4", 4)]
    [InlineData("q8_0", 8.5), InlineData("q4_0", 4.5), InlineData("q4_1", 5), InlineData("q4_k", 4.5),
        InlineData("Q5_K", 5.5), InlineData("q6_k", 6.5625)]
    public void Sizes_count_scales(string name, double bits) =>
        Assert.Equal(bits, 8 * ElementType.Find(name, ElementType.OfWeights)!.Bytes);

    [Fact]
    public void Every_tensor_can_be_sized() =>
        Assert.All(Enum.GetValues<TensorType>(), type => Assert.NotNull(ElementType.Find(type.DisplayName(), ElementType.OfWeights)));

    [Theory, InlineData("q4_k"), InlineData("q5_1"), InlineData("int3")]
    public void Keys_and_values_know_fewer_types(string name) => Assert.Null(ElementType.Find(name, ElementType.OfKv));
}
