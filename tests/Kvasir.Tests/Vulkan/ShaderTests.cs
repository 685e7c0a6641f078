using System.Diagnostics;
using Kvasir.Tests.Fixtures;
using Kvasir.Vulkan.Passes;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Tests.Vulkan;

/// <summary>The compiled shaders are those of the sources, valid, and do what is declared of them.</summary>
public sealed class ShaderTests
{
    static readonly string s_sources = Path.Combine(Checkout.Root, "src/Kvasir.Vulkan/Shaders");

    public static TheoryData<string> Names => [.. PassKernels.All.Select(kernel => kernel.Name).Distinct()];

    [Theory, MemberData(nameof(Names))]
    public void Each_does_with_its_memory_what_is_declared(string name)
    {
        Access[] truth = CompiledShader.AccessesOf(name);
        foreach (Kernel kernel in PassKernels.All.Where(kernel => kernel.Name == name))
            Assert.Equal(truth, kernel.Declared);
    }

    [Fact]
    public void All_are_used()
    {
        string[] compiled = [.. Directory.EnumerateFiles(Path.Combine(s_sources, "Compiled")).Select(Path.GetFileNameWithoutExtension).Order()!];
        Assert.Equal(Names.Select(row => row.Data).Order(), compiled);
    }

    [Fact]
    public async Task All_are_compiled_of_their_sources_and_valid()
    {
        Programs.Need("glslangValidator", "spirv-val");
        using TemporaryFolder folder = new();
        (int exitCode, string output, string errors) = await Programs.Run(new ProcessStartInfo(Path.Combine(s_sources, "compile.sh"), [folder["."]]));
        Assert.True(exitCode == 0, output + errors);
        foreach (string name in Names.Select(row => row.Data))
        {
            byte[] compiled = File.ReadAllBytes(folder[$"{name}.spv"]), kept = Kvasir.Vulkan.Devices.Pipelines.Shader(name);
            if (Generator(compiled) == Generator(kept)) // another compiler may write other words
                Assert.True(compiled.AsSpan().SequenceEqual(kept), $"{name}: Compiled/ is not of these sources; compile.sh makes it again");
            (exitCode, output, errors) = await Programs.Run(new ProcessStartInfo("spirv-val", ["--target-env", "vulkan1.1", folder[$"{name}.spv"]]));
            Assert.True(exitCode == 0, name + output + errors);
        }
    }

    /// <summary>The compiler and its version.</summary>
    static uint Generator(byte[] shader) => BitConverter.ToUInt32(shader, 8);

    [Theory, MemberData(nameof(Names))]
    public void Nothing_that_ends_in_a_bit_may_be_contracted_and_no_float_is_atomic(string name)
    {
        string source = File.ReadAllText(Path.Combine(s_sources, $"{(name.StartsWith("product", StringComparison.Ordinal) ? "product" : name)}.comp"));
        Assert.DoesNotContain("atomic", source, StringComparison.Ordinal);
        Assert.DoesNotContain("subgroup", source, StringComparison.Ordinal);
        Assert.DoesNotContain("fma(", source, StringComparison.Ordinal);
    }
}
