using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;

namespace Kvasir.Tests.Fixtures;

/// <summary>Writes safetensors files, and such as no honest program would.</summary>
static class Safetensors
{
    public static void Write(string path, string dtype, IEnumerable<(string Name, long[] Shape, byte[] Bytes)> tensors,
        Func<string, bool>? isBytes = null)
    {
        var header = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        using var data = new MemoryStream();
        foreach ((string name, long[] shape, byte[] bytes) in tensors)
        {
            header[name] = Entry(isBytes?.Invoke(name) == true ? "U8" : dtype, shape, data.Length, data.Length + bytes.Length);
            data.Write(bytes);
        }
        File.WriteAllBytes(path, Bytes(header.ToJsonString(), data.ToArray()));
    }

    public static JsonObject Entry(string dtype, long[] shape, long begin, long end) => new()
    {
        ["dtype"] = dtype,
        ["shape"] = new JsonArray([.. shape.Select(size => (JsonNode)size)]),
        ["data_offsets"] = new JsonArray(begin, end),
    };

    public static byte[] Bytes(string header, byte[] data, ulong? length = null)
    {
        byte[] text = Encoding.UTF8.GetBytes(header), bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length ?? (ulong)text.Length);
        return [.. bytes, .. text, .. data];
    }
}
