using Kvasir.Vulkan.Recording;
using Silk.NET.Vulkan;

namespace Kvasir.Vulkan.Devices;

/// <summary>Which memory kernels are given, as drivers want to be told: once for the same, since a pass is much like the last.</summary>
sealed unsafe class BoundSets(Vk api, Device device, Pipelines pipelines) : IDisposable
{
    const int SetsOfPool = 512, BindingsOfSet = 8;

    readonly object _gate = new();
    readonly Dictionary<Bindings, DescriptorSet> _sets = [];
    readonly List<DescriptorPool> _pools = [];
    int _left;

    public DescriptorSet Of(DeviceRange[] ranges)
    {
        Bindings bindings = new(ranges);
        lock (_gate)
            return _sets.TryGetValue(bindings, out DescriptorSet known) ? known : _sets[bindings] = Create(ranges);
    }

    DescriptorSet Create(DeviceRange[] ranges)
    {
        if (_left-- == 0)
            AddPool();
        DescriptorSetLayout layout = pipelines.Layout(ranges.Length).Set;
        DescriptorSetAllocateInfo info = new(descriptorPool: _pools[^1], descriptorSetCount: 1, pSetLayouts: &layout);
        DescriptorSet set;
        VulkanLibrary.Check(api.AllocateDescriptorSets(device, in info, &set), "bindings");
        DescriptorBufferInfo* buffers = stackalloc DescriptorBufferInfo[ranges.Length];
        WriteDescriptorSet* writes = stackalloc WriteDescriptorSet[ranges.Length];
        for (int i = 0; i < ranges.Length; i++)
        {
            buffers[i] = new DescriptorBufferInfo(((VulkanBuffer)ranges[i].Buffer).Handle, (ulong)ranges[i].Offset, (ulong)ranges[i].Bytes);
            writes[i] = new WriteDescriptorSet(dstSet: set, dstBinding: (uint)i, descriptorCount: 1,
                descriptorType: DescriptorType.StorageBuffer, pBufferInfo: buffers + i);
        }
        api.UpdateDescriptorSets(device, (uint)ranges.Length, writes, 0, null);
        return set;
    }

    void AddPool()
    {
        DescriptorPoolSize size = new(DescriptorType.StorageBuffer, SetsOfPool * BindingsOfSet);
        DescriptorPoolCreateInfo info = new(maxSets: SetsOfPool, poolSizeCount: 1, pPoolSizes: &size);
        VulkanLibrary.Check(api.CreateDescriptorPool(device, in info, null, out DescriptorPool pool), "bindings");
        _pools.Add(pool);
        _left = SetsOfPool - 1;
    }

    public void Dispose()
    {
        foreach (DescriptorPool pool in _pools)
            api.DestroyDescriptorPool(device, pool, null);
    }

    /// <summary>By the buffers' numbers, which are never used again.</summary>
    readonly struct Bindings(DeviceRange[] ranges) : IEquatable<Bindings>
    {
        readonly DeviceRange[] _ranges = ranges;

        public bool Equals(Bindings other) => _ranges.AsSpan().SequenceEqual(other._ranges);

        public override bool Equals(object? obj) => obj is Bindings other && Equals(other);

        public override int GetHashCode()
        {
            HashCode hash = default;
            foreach (DeviceRange range in _ranges)
            {
                hash.Add(range.Buffer.Id);
                hash.Add(range.Offset);
                hash.Add(range.Bytes);
            }
            return hash.ToHashCode();
        }
    }
}
