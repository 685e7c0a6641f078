using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>The values of <c>enum</c> and <c>const</c> that also satisfy what stands beside them.</summary>
sealed class ListedValues(SchemaCompiler compiler, Conjunction schema)
{
    const int MaxDepth = 16, MaxBytes = 1 << 18;

    static readonly JsonWriterOptions s_compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    readonly SchemaOverlap _overlap = new(compiler);

    /// <summary>The values that a schema lists, those that are in all lists if there are more; null where it lists none.</summary>
    public static IEnumerable<Keyword>? Of(Conjunction schema) =>
        schema.All("const").Select(value => (IReadOnlyList<Keyword>)[value]).Concat(schema.All("enum").Select(list => list.Elements()))
            .Aggregate((IEnumerable<Keyword>?)null, (all, list) =>
                all?.Where(value => list.Any(other => JsonElement.DeepEquals(other.Value, value.Value))) ?? list);

    public GrammarNode Make()
    {
        List<Keyword[]> lists = [.. schema.All("enum").Select(list => list.Elements().ToArray()),
            .. schema.All("const").Select(value => new[] { value })];
        long others = lists[1..].Sum(list => (long)list.Length);
        List<byte[]> texts = [.. lists[0].Where(value => IsInAll(value, lists[1..], others)).Where(Fits).Select(Text)];
        if (texts.Sum(text => (long)text.Length) > MaxBytes)
            throw JsonSchemaException.At(schema.Pointer, $"values of {texts.Sum(text => (long)text.Length)} bytes", $"at most {MaxBytes}");
        return compiler.Add(
            new Terminal(ByteAutomaton.From(new Alternation([.. texts.Select(text => ByteExpression.Text(text))]), compiler.Work)),
            NoneIsLeft);
    }

    JsonSchemaException NoneIsLeft() =>
        Keyword.Contradiction([.. schema.All("enum"), .. schema.All("const")], "a value that satisfies what stands beside it");

    bool IsInAll(Keyword value, List<Keyword[]> lists, long values)
    {
        compiler.Work.Spend(value.Bytes * (1 + values)); // each comparison may look at all of it
        return lists.All(list => list.Any(other => JsonElement.DeepEquals(other.Value, value.Value)));
    }

    bool Fits(Keyword value) =>
        _overlap.AdmitsUnlisted(schema, value.Value) && !schema.Limits.Except.Any(other => _overlap.MayAdmit(other, value.Value));

    static byte[] Text(Keyword value)
    {
        if (Depth(value.Value) > MaxDepth)
            throw value.Refused($"a value of at most {MaxDepth} levels");
        return value.Value.ValueKind == JsonValueKind.String ? CharacterBytes.Quote(value.Value.GetString()!) : Written(value.Value);
    }

    static byte[] Written(JsonElement value)
    {
        ArrayBufferWriter<byte> bytes = new();
        using (Utf8JsonWriter writer = new(bytes, s_compact))
            value.WriteTo(writer);
        return bytes.WrittenSpan.ToArray();
    }

    static int Depth(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => 1 + value.EnumerateObject().Select(member => Depth(member.Value)).DefaultIfEmpty(0).Max(),
        JsonValueKind.Array => 1 + value.EnumerateArray().Select(Depth).DefaultIfEmpty(0).Max(),
        _ => 0,
    };
}
