using System.Runtime.InteropServices;
using Kvasir.Vulkan.Devices;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Tests.Vulkan;

/// <summary>
/// What a compiled shader does with each of its bindings: its compiler has refused to write where the source says <c>readonly</c>, and to
/// read where it says <c>writeonly</c>. So this is the truth, whatever is declared in C#. (SPIR-V, 2.3 and 3.)
/// </summary>
static class CompiledShader
{
    const int Header = 5, Binding = 33, NonWritable = 24, NonReadable = 25;
    const int OpTypePointer = 32, OpVariable = 59, OpDecorate = 71, OpMemberDecorate = 72;

    public static Access[] AccessesOf(string name)
    {
        uint[] words = [.. MemoryMarshal.Cast<byte, uint>(Pipelines.Shader(name))];
        Dictionary<uint, uint> bindings = [], pointees = [], typeOf = []; // variables' bindings, pointers' types, variables' types
        HashSet<(uint Id, int Decoration)> decorated = [];
        for (int at = Header; at < words.Length; at += (int)(words[at] >> 16))
            switch (words[at] & 0xFFFF)
            {
                case OpDecorate when words[at + 2] == Binding: bindings[words[at + 1]] = words[at + 3]; break;
                case OpDecorate: decorated.Add((words[at + 1], (int)words[at + 2])); break;
                case OpMemberDecorate: decorated.Add((words[at + 1], (int)words[at + 3])); break;
                case OpTypePointer: pointees[words[at + 1]] = words[at + 3]; break;
                case OpVariable: typeOf[words[at + 2]] = words[at + 1]; break;
                default: break;
            }
        return [.. bindings.OrderBy(binding => binding.Value).Select(binding =>
        {
            bool Says(int decoration) => decorated.Contains((binding.Key, decoration))
                || decorated.Contains((pointees[typeOf[binding.Key]], decoration));
            return (Says(NonReadable) ? 0 : Access.Read) | (Says(NonWritable) ? 0 : Access.Write);
        })];
    }
}
