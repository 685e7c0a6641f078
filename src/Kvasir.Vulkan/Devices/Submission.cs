using Kvasir.Vulkan.Recording;
using Silk.NET.Vulkan;

namespace Kvasir.Vulkan.Devices;

/// <summary>What one thread tells a device at a time, and waits for.</summary>
sealed unsafe class Submission : IDisposable
{
    readonly Vk _api;
    readonly Device _device;
    readonly Pipelines _pipelines;
    readonly BoundSets _sets;
    readonly CommandPool _pool;
    readonly CommandBuffer _commands;
    readonly Fence _fence;

    public Submission(Vk api, Device device, uint family, Pipelines pipelines, BoundSets sets)
    {
        (_api, _device, _pipelines, _sets) = (api, device, pipelines, sets);
        CommandPoolCreateInfo pool = new(flags: CommandPoolCreateFlags.TransientBit, queueFamilyIndex: family);
        VulkanLibrary.Check(api.CreateCommandPool(device, in pool, null, out _pool), "commands");
        CommandBufferAllocateInfo buffer = new(commandPool: _pool, level: CommandBufferLevel.Primary, commandBufferCount: 1);
        VulkanLibrary.Check(api.AllocateCommandBuffers(device, in buffer, out _commands), "commands");
        FenceCreateInfo fence = new(sType: StructureType.FenceCreateInfo);
        VulkanLibrary.Check(api.CreateFence(device, in fence, null, out _fence), "commands");
    }

    /// <summary>Writes commands down as the driver wants them.</summary>
    public void Write(IReadOnlyList<Command> commands)
    {
        VulkanLibrary.Check(_api.ResetCommandPool(_device, _pool, 0), "commands");
        CommandBufferBeginInfo begin = new(flags: CommandBufferUsageFlags.OneTimeSubmitBit);
        VulkanLibrary.Check(_api.BeginCommandBuffer(_commands, in begin), "commands");
        foreach (Command command in commands)
            Write(command);
        VulkanLibrary.Check(_api.EndCommandBuffer(_commands), "commands");
    }

    void Write(Command command)
    {
        switch (command)
        {
            case Command.Barrier:
                Barrier();
                break;
            case Command.Dispatch dispatch:
                Dispatch(dispatch);
                break;
            case Command.Copy(DeviceRange source, DeviceRange target):
                BufferCopy part = new((ulong)source.Offset, (ulong)target.Offset, (ulong)source.Bytes);
                _api.CmdCopyBuffer(_commands, ((VulkanBuffer)source.Buffer).Handle, ((VulkanBuffer)target.Buffer).Handle, 1, &part);
                break;
            case Command.Clear(DeviceRange target):
                _api.CmdFillBuffer(_commands, ((VulkanBuffer)target.Buffer).Handle, (ulong)target.Offset, (ulong)target.Bytes, 0);
                break;
            default:
                throw new InvalidOperationException($"{command}: no driver knows it");
        }
    }

    void Barrier()
    {
        const PipelineStageFlags Device = PipelineStageFlags.ComputeShaderBit | PipelineStageFlags.TransferBit;
        const AccessFlags Accesses = AccessFlags.ShaderReadBit | AccessFlags.ShaderWriteBit
            | AccessFlags.TransferReadBit | AccessFlags.TransferWriteBit;
        MemoryBarrier all = new(srcAccessMask: Accesses, dstAccessMask: Accesses | AccessFlags.HostReadBit);
        _api.CmdPipelineBarrier(_commands, Device, Device | PipelineStageFlags.HostBit, 0, 1, &all, 0, null, 0, null);
    }

    void Dispatch(Command.Dispatch dispatch)
    {
        PipelineLayout layout = _pipelines.Layout(dispatch.Bindings.Length).Pipeline;
        DescriptorSet set = _sets.Of(dispatch.Bindings);
        _api.CmdBindPipeline(_commands, PipelineBindPoint.Compute, _pipelines[dispatch.Kernel]);
        _api.CmdBindDescriptorSets(_commands, PipelineBindPoint.Compute, layout, 0, 1, &set, 0, null);
        fixed (uint* form = dispatch.Form)
            _api.CmdPushConstants(_commands, layout, ShaderStageFlags.ComputeBit, 0, (uint)dispatch.Form.Length * sizeof(uint), form);
        _api.CmdDispatch(_commands, (uint)dispatch.X, (uint)dispatch.Y, 1);
    }

    /// <summary>Hands what was written to a queue, which nobody else uses meanwhile.</summary>
    public void Submit(Queue queue)
    {
        Fence fence = _fence;
        VulkanLibrary.Check(_api.ResetFences(_device, 1, &fence), "commands");
        CommandBuffer commands = _commands;
        SubmitInfo info = new(commandBufferCount: 1, pCommandBuffers: &commands);
        VulkanLibrary.Check(_api.QueueSubmit(queue, 1, &info, _fence), "commands");
    }

    /// <summary>Returns when the device has done it.</summary>
    public void Wait()
    {
        Fence fence = _fence;
        VulkanLibrary.Check(_api.WaitForFences(_device, 1, &fence, true, ulong.MaxValue), "commands");
    }

    public void Dispose()
    {
        _api.DestroyFence(_device, _fence, null);
        _api.DestroyCommandPool(_device, _pool, null);
    }
}
