using System.Security.Cryptography;
using System.Text;
using Kvasir.Vulkan.Recording;
using Silk.NET.Vulkan;

namespace Kvasir.Vulkan.Devices;

/// <summary>
/// The kernels as a device runs them, each made when it is first wanted. What the driver has compiled is kept in a file, from which the
/// next process makes them at once.
/// </summary>
sealed unsafe class Pipelines : IDisposable
{
    const uint FormBytes = 128; // every device has room for as many
    const int MostCacheBytes = 64 << 20;

    readonly object _gate = new();
    readonly Vk _api;
    readonly Device _device;
    readonly string? _file;
    readonly PipelineCache _cache;
    readonly Dictionary<Kernel, Pipeline> _pipelines = [];
    readonly Dictionary<int, (DescriptorSetLayout Set, PipelineLayout Pipeline)> _layouts = []; // by number of bindings
    bool _isNew;

    /// <param name="api">Vulkan.</param>
    /// <param name="device">The device.</param>
    /// <param name="file">Where the compiled kernels are kept; null for nowhere.</param>
    public Pipelines(Vk api, Device device, string? file)
    {
        (_api, _device, _file) = (api, device, file);
        byte[] kept = Kept(file);
        fixed (byte* data = kept)
        {
            PipelineCacheCreateInfo info = new(initialDataSize: (nuint)kept.Length, pInitialData: data);
            VulkanLibrary.Check(api.CreatePipelineCache(device, in info, null, out _cache), "compiled shaders");
        }
    }

    /// <summary>The digest of all compiled shaders: what they compute, they alone compute so.</summary>
    public static string ShadersDigest { get; } = Digest();

    public Pipeline this[Kernel kernel]
    {
        get
        {
            lock (_gate)
            {
                if (_pipelines.TryGetValue(kernel, out Pipeline pipeline))
                    return pipeline;
                _isNew = true;
                return _pipelines[kernel] = Create(kernel);
            }
        }
    }

    /// <summary>How kernels with so many bindings are given their memory and numbers.</summary>
    public (DescriptorSetLayout Set, PipelineLayout Pipeline) Layout(int bindings)
    {
        lock (_gate)
            return _layouts.TryGetValue(bindings, out var known) ? known : _layouts[bindings] = NewLayout(bindings);
    }

    /// <summary>A compiled shader's words.</summary>
    public static byte[] Shader(string name)
    {
        using Stream stream = typeof(Pipelines).Assembly.GetManifestResourceStream($"{name}.spv")
            ?? throw new InvalidOperationException($"{name}: no such shader");
        byte[] words = new byte[stream.Length];
        stream.ReadExactly(words);
        return words;
    }

    Pipeline Create(Kernel kernel)
    {
        byte[] words = Shader(kernel.Name);
        fixed (byte* code = words)
        fixed (uint* constants = kernel.Constants)
        {
            ShaderModuleCreateInfo shader = new(codeSize: (nuint)words.Length, pCode: (uint*)code);
            VulkanLibrary.Check(_api.CreateShaderModule(_device, in shader, null, out ShaderModule module), kernel.Name);
            SpecializationMapEntry* entries = stackalloc SpecializationMapEntry[kernel.Constants.Length];
            for (uint i = 0; i < kernel.Constants.Length; i++)
                entries[i] = new SpecializationMapEntry(i, i * sizeof(uint), sizeof(uint));
            uint count = (uint)kernel.Constants.Length;
            SpecializationInfo special = new(count, entries, count * sizeof(uint), constants);
            ReadOnlySpan<byte> main = "main\0"u8;
            fixed (byte* name = main)
            {
                ComputePipelineCreateInfo info = new(layout: Layout(kernel.Declared.Length).Pipeline, stage: new(
                    stage: ShaderStageFlags.ComputeBit, module: module, pName: name, pSpecializationInfo: &special));
                Pipeline pipeline;
                Result result = _api.CreateComputePipelines(_device, _cache, 1, &info, null, &pipeline);
                _api.DestroyShaderModule(_device, module, null);
                VulkanLibrary.Check(result, kernel.Name);
                return pipeline;
            }
        }
    }

    (DescriptorSetLayout, PipelineLayout) NewLayout(int bindings)
    {
        DescriptorSetLayoutBinding* each = stackalloc DescriptorSetLayoutBinding[bindings];
        for (uint i = 0; i < bindings; i++)
            each[i] = new DescriptorSetLayoutBinding(i, DescriptorType.StorageBuffer, 1, ShaderStageFlags.ComputeBit);
        DescriptorSetLayoutCreateInfo set = new(bindingCount: (uint)bindings, pBindings: each);
        VulkanLibrary.Check(_api.CreateDescriptorSetLayout(_device, in set, null, out DescriptorSetLayout setLayout), "bindings");
        PushConstantRange form = new(ShaderStageFlags.ComputeBit, 0, FormBytes);
        PipelineLayoutCreateInfo info = new(
            setLayoutCount: 1, pSetLayouts: &setLayout, pushConstantRangeCount: 1, pPushConstantRanges: &form);
        VulkanLibrary.Check(_api.CreatePipelineLayout(_device, in info, null, out PipelineLayout layout), "bindings");
        return (setLayout, layout);
    }

    /// <summary>The driver checks whose it is; what is damaged otherwise, or of somebody else, is not given to it.</summary>
    static byte[] Kept(string? file)
    {
        try
        {
            FileInfo info = new(file ?? "");
            if (file is null || !info.Exists || info.Length is < SHA256.HashSizeInBytes or > MostCacheBytes)
                return [];
            byte[] bytes = File.ReadAllBytes(file);
            ReadOnlySpan<byte> data = bytes.AsSpan(SHA256.HashSizeInBytes);
            return SHA256.HashData(data).AsSpan().SequenceEqual(bytes.AsSpan(0, SHA256.HashSizeInBytes)) ? data.ToArray() : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return [];
        }
    }

    void Keep()
    {
        if (_file is null || !_isNew)
            return;
        nuint bytes = 0;
        if (_api.GetPipelineCacheData(_device, _cache, &bytes, null) != Result.Success || bytes is 0 or > MostCacheBytes)
            return;
        byte[] data = new byte[(int)bytes];
        fixed (byte* first = data)
            if (_api.GetPipelineCacheData(_device, _cache, &bytes, first) != Result.Success)
                return;
        try
        {
            KvCache.Tiers.Disk.PrivateFolder.Create(Path.GetDirectoryName(_file)!);
            string temporary = $"{_file}.{Environment.ProcessId}";
            File.WriteAllBytes(temporary, [.. SHA256.HashData(data.AsSpan(0, (int)bytes)), .. data.AsSpan(0, (int)bytes)]);
            File.Move(temporary, _file, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // made again by the next process, too
        }
    }

    static string Digest()
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string name in typeof(Pipelines).Assembly.GetManifestResourceNames()
            .Where(name => name.EndsWith(".spv", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(name));
            hash.AppendData(Shader(name[..^".spv".Length]));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public void Dispose()
    {
        Keep();
        foreach (Pipeline pipeline in _pipelines.Values)
            _api.DestroyPipeline(_device, pipeline, null);
        foreach ((DescriptorSetLayout set, PipelineLayout pipeline) in _layouts.Values)
        {
            _api.DestroyPipelineLayout(_device, pipeline, null);
            _api.DestroyDescriptorSetLayout(_device, set, null);
        }
        _api.DestroyPipelineCache(_device, _cache, null);
    }
}
