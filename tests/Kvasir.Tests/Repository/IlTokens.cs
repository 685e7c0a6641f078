using System.Collections.Frozen;
using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;

namespace Kvasir.Tests.Repository;

/// <summary>Reads the code of methods: which types, methods and fields an instruction names.</summary>
static class IlTokens
{
    static readonly FrozenDictionary<ushort, OperandType> s_operands = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToFrozenDictionary(code => (ushort)code.Value, code => code.OperandType);

    /// <summary>What a body names, with the offset of the instruction.</summary>
    public static IEnumerable<(int Offset, EntityHandle Entity)> In(MethodBodyBlock body)
    {
        BlobReader il = body.GetILReader();
        List<(int, EntityHandle)> found = [];
        while (il.RemainingBytes > 0)
        {
            int offset = il.Offset;
            ushort code = il.ReadByte();
            if (code == 0xFE)
                code = (ushort)(code << 8 | il.ReadByte());
            OperandType operand = s_operands[code];
            if (operand is OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineType or OperandType.InlineTok)
                found.Add((offset, MetadataTokens.EntityHandle(il.ReadInt32())));
            else
            {
                int more = operand == OperandType.InlineSwitch ? 4 * il.ReadInt32() : SizeOf(operand);
                il.Offset += more;
            }
        }
        return found;
    }

    static int SizeOf(OperandType operand) => operand switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        _ => 4,
    };
}
