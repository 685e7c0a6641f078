using System.Collections.Concurrent;
using Kvasir.Vulkan.Recording;
using Silk.NET.Vulkan;

namespace Kvasir.Vulkan.Devices;

/// <summary>A device that is open: one queue, which does what several threads tell it.</summary>
sealed unsafe class VulkanDevice : IComputeDevice
{
    readonly object _queueGate = new();
    readonly VulkanLibrary _vulkan;
    readonly DeviceFacts _facts;
    readonly Device _device;
    readonly Queue _queue;
    readonly Pipelines _pipelines;
    readonly BoundSets _sets;
    readonly ConcurrentBag<Submission> _idle = [];

    /// <param name="vulkan">The library, which is the device's from now on.</param>
    /// <param name="facts">Which device.</param>
    /// <param name="name">Its name in messages.</param>
    /// <param name="pipelineFolder">Where compiled shaders are kept; null for nowhere.</param>
    public VulkanDevice(VulkanLibrary vulkan, DeviceFacts facts, string name, string? pipelineFolder)
    {
        (_vulkan, _facts, Name) = (vulkan, facts, name);
        float priority = 1;
        DeviceQueueCreateInfo queue = new(queueFamilyIndex: (uint)facts.Family, queueCount: 1, pQueuePriorities: &priority);
        DeviceCreateInfo info = new(queueCreateInfoCount: 1, pQueueCreateInfos: &queue);
        VulkanLibrary.Check(vulkan.Api.CreateDevice(facts.Device, in info, null, out _device), name);
        vulkan.Api.GetDeviceQueue(_device, (uint)facts.Family, 0, out _queue);
        _pipelines = new Pipelines(vulkan.Api, _device,
            pipelineFolder is null ? null : Path.Combine(pipelineFolder, $"{facts.CacheId}.pipelines"));
        _sets = new BoundSets(vulkan.Api, _device, _pipelines);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long MaxRangeBytes => Math.Min(_facts.Limits.MaxStorageBufferRange, uint.MaxValue) & ~4095L;

    /// <inheritdoc/>
    public int RangeAlignment => (int)Math.Max(4, _facts.Limits.MinStorageBufferOffsetAlignment);

    /// <summary>Makes a kernel ready, or says why the device cannot.</summary>
    public void Prepare(Kernel kernel) => _ = _pipelines[kernel];

    /// <inheritdoc/>
    public DeviceBuffer Allocate(long bytes, bool isHostVisible)
    {
        try
        {
            return VulkanBuffer.Allocate(_vulkan.Api, _device, _facts, bytes, isHostVisible);
        }
        catch (InsufficientMemoryException e)
        {
            throw new InsufficientMemoryException($"{Name}: no memory for {bytes:N0} bytes ({bytes / (double)(1L << 30):0.0} GiB)", e);
        }
    }

    /// <inheritdoc/>
    public void Run(Recorder recorder)
    {
        if (!_idle.TryTake(out Submission? submission))
            submission = new Submission(_vulkan.Api, _device, (uint)_facts.Family, _pipelines, _sets);
        try
        {
            submission.Write(recorder.Finish());
            lock (_queueGate)
                submission.Submit(_queue);
            submission.Wait();
        }
        finally
        {
            _idle.Add(submission);
        }
    }

    public void Dispose()
    {
        _vulkan.Api.DeviceWaitIdle(_device);
        foreach (Submission submission in _idle)
            submission.Dispose();
        _sets.Dispose();
        _pipelines.Dispose();
        _vulkan.Api.DestroyDevice(_device, null);
        _vulkan.Dispose();
    }
}
