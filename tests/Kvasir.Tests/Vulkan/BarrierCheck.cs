using Kvasir.Vulkan.Recording;

namespace Kvasir.Tests.Vulkan;

/// <summary>
/// Looks for commands that meet without a barrier between them, by what shaders do, not by what is declared of them: a device may do what
/// stands between two barriers in any order.
/// </summary>
static class BarrierCheck
{
    static readonly Dictionary<string, Access[]> s_truth = [];

    /// <summary>The first command that meets an earlier one; null when there is none.</summary>
    public static Command? FirstUnordered(IEnumerable<Command> commands)
    {
        List<(DeviceRange Range, Access Access)> unordered = [];
        foreach (Command command in commands)
        {
            if (command is Command.Barrier)
            {
                unordered.Clear();
                continue;
            }
            (DeviceRange, Access)[] own = [.. AccessesOf(command)];
            foreach ((DeviceRange range, Access access) in own)
                foreach ((DeviceRange other, Access earlier) in unordered)
                    if (range.Overlaps(other) && ((access | earlier) & Access.Write) != 0)
                        return command;
            unordered.AddRange(own);
        }
        return null;
    }

    static IEnumerable<(DeviceRange, Access)> AccessesOf(Command command) => command switch
    {
        Command.Dispatch dispatch => dispatch.Bindings.Zip(Truth(dispatch.Kernel.Name)),
        Command.Copy(DeviceRange source, DeviceRange target) => [(source, Access.Read), (target, Access.Write)],
        Command.Clear(DeviceRange target) => [(target, Access.Write)],
        _ => [],
    };

    static Access[] Truth(string shader)
    {
        lock (s_truth)
            return s_truth.TryGetValue(shader, out Access[]? known) ? known : s_truth[shader] = CompiledShader.AccessesOf(shader);
    }
}
