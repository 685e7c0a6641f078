using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Model;
using Kvasir.Vulkan;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Tests.Vulkan;

/// <summary>
/// The barriers of real forward passes, recorded without a driver: none is missing, none is needless, and whoever forgets to declare what a
/// kernel does is found out.
/// </summary>
public sealed class PassBarrierTests
{
    public static TheoryData<string> Names => ["llama-untied", "qwen2-biases", "qwen3-qk-norm", "gemma2", "gemma3", "glm4", "shared-kv"];

    /// <summary>A pass of several tokens with all logits, or what follows it.</summary>
    static IReadOnlyList<Command> Record(string name, int tokens)
    {
        using TemporaryFolder folder = new();
        TinyModel tiny = ArchitectureTests.Models.GetValueOrDefault(name) ?? TinyModel.Families.GetValueOrDefault(name)
            ?? LayerVariantTests.Models[name];
        RecordingDevice device = new();
        using LanguageModel model = LanguageModel.Load(tiny.WriteTo(folder["tiny.gguf"]), backend: new VulkanBackend(device, "none"));
        using InferenceEngine engine = new(model, new EngineOptions { Context = 64 });
        using Sequence sequence = engine.NewSequence();
        sequence.Append(new int[tokens]);
        engine.ComputeLogits(sequence);
        return device.Last;
    }

    [Theory, MemberData(nameof(Names))]
    public void No_barrier_is_missing_and_none_is_needless(string name)
    {
        IReadOnlyList<Command> pass = Record(name, 9);
        Assert.True(pass.Count > 40, "hardly a pass");
        Assert.Null(BarrierCheck.FirstUnordered(pass));
        int[] barriers = [.. Enumerable.Range(1, pass.Count - 2).Where(i => pass[i] is Command.Barrier)];
        Assert.True(barriers.Length > 20);
        foreach (int barrier in barriers)
            Assert.NotNull(BarrierCheck.FirstUnordered(pass.Where((_, i) => i != barrier)));
    }

    [Theory]
    [InlineData("gemma2", 9, 30)]
    [InlineData("qwen2-biases", 1, 20)]
    public void Whoever_forgets_to_declare_an_access_is_found_out(string name, int tokens, int least)
    {
        IReadOnlyList<Command> pass = Record(name, tokens);
        int found = 0;
        for (int at = 0; at < pass.Count; at++)
            for (int binding = 0; pass[at] is Command.Dispatch dispatch && binding < dispatch.Bindings.Length; binding++)
                foreach (Access access in (Access[])[Access.Read, Access.Write])
                {
                    if (!dispatch.Kernel.Declared[binding].HasFlag(access))
                        continue;
                    IReadOnlyList<Command> forgetful = Again(pass, at, binding, access);
                    if (forgetful.Count == pass.Count)
                        continue; // another access of the same command, or one before, wants the barrier, too
                    Assert.True(BarrierCheck.FirstUnordered(forgetful) is not null,
                        $"command {at}, {dispatch.Kernel.Name}, binding {binding}: without {access} a barrier went, and nobody noticed");
                    found++;
                }
        Assert.True(found >= least, $"only {found} accesses brought a barrier about, alone");
    }

    /// <summary>An access that brings no barrier about by itself may do so in another pass.</summary>
    [Fact]
    public void Whoever_forgets_an_access_of_a_kernel_everywhere_is_found_out_by_the_shader()
    {
        foreach (Kernel kernel in Record("gemma2", 9).OfType<Command.Dispatch>().Select(dispatch => dispatch.Kernel).Distinct())
            Assert.Equal(CompiledShader.AccessesOf(kernel.Name), kernel.Declared);
    }

    /// <summary>The same commands, recorded once more by somebody who leaves out what one does with one binding.</summary>
    static IReadOnlyList<Command> Again(IReadOnlyList<Command> pass, int at, int binding, Access forgotten)
    {
        Recorder recorder = new();
        for (int i = 0; i < pass.Count; i++)
            switch (pass[i])
            {
                case Command.Dispatch dispatch:
                    Access[] declared = [.. dispatch.Kernel.Declared];
                    if (i == at)
                        declared[binding] &= ~forgotten;
                    Kernel forgetful = dispatch.Kernel with { Declared = declared };
                    recorder.Dispatch(forgetful, dispatch.X, dispatch.Y, dispatch.Form, dispatch.Bindings);
                    break;
                case Command.Copy(DeviceRange source, DeviceRange target): recorder.Copy(source, target); break;
                case Command.Clear(DeviceRange target): recorder.Clear(target); break;
                default: break;
            }
        return recorder.Finish();
    }
}
