using System.Runtime.InteropServices;

namespace Kvasir.Vulkan.Recording;

/// <summary>
/// Writes down what a device is to do, and puts every barrier that it needs. A device does what it is told in any order, or at once, but
/// for barriers; a driver that runs on the processor goes by the order and hides all that are missing. So nobody writes one by hand:
/// commands say what they read and write, and a barrier goes before the first that could meet what an earlier one does.
/// </summary>
sealed class Recorder
{
    readonly List<Command> _commands = [Command.Barrier.Instance]; // after all that was told the device before
    readonly List<(DeviceRange Range, Access Access)> _since = []; // since the last barrier

    /// <summary>What is written down, ready for a device.</summary>
    public IReadOnlyList<Command> Finish()
    {
        if (_since.Exists(one => one.Range.Buffer.IsHostVisible && one.Access.HasFlag(Access.Write)))
            Barrier(); // for the processor
        return _commands;
    }

    /// <summary>Runs a kernel in so many groups.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="x">Groups in the first dimension.</param>
    /// <param name="y">Groups in the second.</param>
    /// <param name="form">Its numbers.</param>
    /// <param name="bindings">Its memory, as it declares.</param>
    public void Dispatch(Kernel kernel, int x, int y, ReadOnlySpan<uint> form, params ReadOnlySpan<DeviceRange> bindings)
    {
        if (bindings.Length != kernel.Declared.Length)
            throw new ArgumentException($"{kernel.Name}: {bindings.Length} bindings, expected {kernel.Declared.Length}");
        Span<(DeviceRange, Access)> accesses = new (DeviceRange, Access)[bindings.Length];
        for (int i = 0; i < bindings.Length; i++)
            accesses[i] = (bindings[i], kernel.Declared[i]);
        Add(new Command.Dispatch(kernel, [.. bindings], [.. form], x, y), accesses);
    }

    /// <summary>Copies bytes.</summary>
    public void Copy(DeviceRange source, DeviceRange target)
    {
        if (source.Bytes != target.Bytes)
            throw new ArgumentException($"{source.Bytes} bytes into {target.Bytes}");
        Add(new Command.Copy(source, target), (source, Access.Read), (target, Access.Write));
    }

    /// <summary>Sets bytes to zero.</summary>
    public void Clear(DeviceRange target) => Add(new Command.Clear(target), (target, Access.Write));

    void Add(Command command, params ReadOnlySpan<(DeviceRange Range, Access Access)> accesses)
    {
        foreach ((DeviceRange range, Access access) in accesses)
            if (Meets(range, access))
            {
                Barrier();
                break;
            }
        _commands.Add(command);
        foreach ((DeviceRange range, Access access) in accesses)
            _since.Add((range, access));
    }

    bool Meets(DeviceRange range, Access access)
    {
        foreach ((DeviceRange Range, Access Access) earlier in CollectionsMarshal.AsSpan(_since))
            if ((access | earlier.Access).HasFlag(Access.Write) && earlier.Range.Overlaps(range))
                return true;
        return false;
    }

    void Barrier()
    {
        _commands.Add(Command.Barrier.Instance);
        _since.Clear();
    }
}
