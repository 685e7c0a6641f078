using Kvasir.Formats.Models;
using Kvasir.Inference;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Model;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.Vulkan.Devices;
using Kvasir.Vulkan.Passes;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Vulkan;

/// <summary>A device of Vulkan's that computes a model's passes, with its weights, keys and values in the device's memory.</summary>
public sealed class VulkanBackend : ComputeBackend
{
    readonly IComputeDevice _device;

    internal VulkanBackend(IComputeDevice device, string identity) =>
        (_device, Numerics) = (device, $"vulkan {Pipelines.ShadersDigest} {identity}");

    /// <inheritdoc/>
    public override string Name => _device.Name;

    internal override string? Numerics { get; }

    /// <summary>What devices there are, usable or not.</summary>
    /// <exception cref="VulkanException">There is no Vulkan, or it has no driver.</exception>
    public static IReadOnlyList<VulkanDeviceInfo> Devices()
    {
        using VulkanLibrary vulkan = VulkanLibrary.Open();
        return [.. vulkan.Devices().Select((device, index) => new DeviceFacts(vulkan, device, index).Describe())];
    }

    /// <summary>Opens a device.</summary>
    /// <param name="index">Its number; null takes the first that can be used: a card of its own before one in the processor, and that
    /// before a driver that computes on the CPU.</param>
    /// <param name="pipelineFolder">Where compiled shaders are kept for the next process; null for nowhere.</param>
    /// <exception cref="VulkanException">There is none that can be used, or not this; one line says why.</exception>
    public static VulkanBackend Open(int? index = null, string? pipelineFolder = null)
    {
        VulkanLibrary vulkan = VulkanLibrary.Open();
        try
        {
            DeviceFacts facts = Choose([.. vulkan.Devices().Select((device, number) => new DeviceFacts(vulkan, device, number))], index);
            return new VulkanBackend(
                new VulkanDevice(vulkan, facts, $"vulkan:{facts.Index} ({facts.Name})", pipelineFolder), facts.Identity);
        }
        catch
        {
            vulkan.Dispose();
            throw;
        }
    }

    static DeviceFacts Choose(DeviceFacts[] devices, int? index)
    {
        string numbers = devices.Length switch { 0 => "", 1 => "vulkan:0", _ => $"vulkan:0 to vulkan:{devices.Length - 1}" };
        if (devices.Length == 0)
            throw new VulkanException("Vulkan: its drivers know no device, expected one (`kvasir devices` lists them)");
        if (index is { } wanted)
            return wanted >= devices.Length ? throw new VulkanException($"vulkan:{wanted}: no such device, expected {numbers}")
                : devices[wanted].Describe().Problem is { } problem
                    ? throw new VulkanException($"vulkan:{wanted} ({devices[wanted].Name}): {problem}") : devices[wanted];
        return devices.Where(device => device.Describe().Problem is null).OrderBy(device => Array.IndexOf(s_kinds, device.Describe().Kind))
            .FirstOrDefault() ?? throw new VulkanException(
                $"Vulkan: none of {numbers} can be used: {devices[0].Name} {devices[0].Describe().Problem} (`kvasir devices` lists all)");
    }

    static readonly string[] s_kinds = ["discrete", "integrated", "virtual", "other", "cpu"];

    internal override void Begin(ModelSpec model, EngineOptions options) => VulkanModels.Check(Name, model, options);

    internal override IDisposable PlaceWeights(WeightPacking packing, PackedModel? packed, Action<long, long>? done) =>
        new DeviceWeights(_device, packing, done);

    internal override IBlockArena NewArena(KvLayout layout, int blocks) => new VulkanArena(_device, layout, blocks);

    internal override ITransformer NewTransformer(LanguageModel model, TieredKvCache cache, EngineOptions options, int context) =>
        new VulkanTransformer(_device, model.Config, model.Weights, cache, context, Math.Min(options.PrefillChunk, context));

    /// <summary>Closes the device, and keeps its compiled shaders; the model does so that was loaded for it.</summary>
    public override void Dispose() => _device.Dispose();
}
