using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Formats;

namespace Kvasir.Server.Http;

/// <summary>
/// A value of a request body and where it stands, so that what is wrong with it can be said. <c>null</c> is as good as absent.
/// </summary>
readonly struct Field(string path, JsonElement value)
{
    public const int MostItems = 100_000;

    /// <summary>Such as <c>messages[2].content</c>; empty for the body.</summary>
    public string Path => path;

    public bool IsAbsent => value.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null;

    public bool IsNull => value.ValueKind == JsonValueKind.Null;

    public bool IsString => value.ValueKind == JsonValueKind.String;

    public bool IsArray => value.ValueKind == JsonValueKind.Array;

    public bool IsObject => value.ValueKind == JsonValueKind.Object;

    public bool IsNumber => value.ValueKind == JsonValueKind.Number;

    public JsonElement Json => value;

    /// <summary>The value for those who need it when the body is gone.</summary>
    public JsonElement Kept => value.ValueKind == JsonValueKind.Undefined ? value : value.Clone();

    /// <summary>How much of the body it takes.</summary>
    public int RawBytes => value.ValueKind == JsonValueKind.Undefined ? 0 : JsonMarshal.GetRawUtf8Value(value).Length;

    /// <summary>A member of an object; absent when it has none of that name.</summary>
    public Field this[string name]
    {
        get
        {
            if (!IsAbsent && !IsObject)
                throw Wrong("an object");
            return new Field(path.Length == 0 ? name : $"{path}.{name}",
                IsObject && value.TryGetProperty(name, out JsonElement member) ? member : default);
        }
    }

    public string? Text(int most = int.MaxValue)
    {
        if (IsAbsent)
            return null;
        if (!IsString)
            throw Wrong("a string");
        string text = value.GetString()!;
        return text.Length <= most ? text : throw Wrong($"at most {most:N0} characters");
    }

    public bool? Truth() => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => IsAbsent ? null : throw Wrong("true or false"),
    };

    public int? Whole(int least, int most)
    {
        if (IsAbsent)
            return null;
        return WholeOf(value) is { } number && number >= least && number <= most
            ? (int)number
            : throw Wrong($"a whole number from {least:N0} to {most:N0}");
    }

    /// <summary>Most of something, where -1 is no limit, as clients of llama-server say it; null where nothing is said.</summary>
    public int? Bound(int least)
    {
        const int unbounded = 1 << 30; // more than anything here, and room to add to it
        if (IsAbsent)
            return null;
        return WholeOf(value) switch
        {
            -1 => unbounded,
            { } number when number >= least => (int)Math.Min(number, unbounded),
            _ => throw Wrong($"a whole number from {least:N0}, or -1 for no limit"),
        };
    }

    /// <summary>A whole number, in whatever way it is written: 4.0 is one, as JSON Schema has it.</summary>
    static long? WholeOf(JsonElement value) =>
        value.ValueKind != JsonValueKind.Number ? null
        : value.TryGetInt64(out long number) ? number
        : value.TryGetDouble(out double real) && double.IsInteger(real) && Math.Abs(real) < 1L << 53 ? (long)real
        : null;

    public float? Real(float least, float most)
    {
        if (IsAbsent)
            return null;
        return IsNumber && value.TryGetSingle(out float number) && number >= least && number <= most
            ? number
            : throw Wrong(FormattableString.Invariant($"a number from {least} to {most}"));
    }

    /// <summary>The numbers of a list, each from 0 up to a bound; without a place in memory for what is said of them.</summary>
    public int[] Wholes(int most, int largest)
    {
        if (!IsArray)
            throw IsAbsent ? Missing("a list of whole numbers") : Wrong("a list");
        int count = value.GetArrayLength(), at = 0;
        int[] numbers = count <= most ? new int[count] : throw Wrong($"at most {most:N0} items");
        foreach (JsonElement item in value.EnumerateArray())
        {
            numbers[at] = WholeOf(item) is { } number && number >= 0 && number <= largest
                ? (int)number
                : throw new Field($"{path}[{at}]", item).Wrong($"a whole number from 0 to {largest:N0}");
            at++;
        }
        return numbers;
    }

    /// <summary>The items of a list, none when it is absent.</summary>
    public IReadOnlyList<Field> Items(int most = MostItems)
    {
        if (IsAbsent)
            return [];
        if (!IsArray)
            throw Wrong("a list");
        if (value.GetArrayLength() > most)
            throw Wrong($"at most {most:N0} items");
        string at = path;
        return [.. value.EnumerateArray().Select((item, i) => new Field($"{at}[{i}]", item))];
    }

    /// <summary>The members of an object, none when it is absent.</summary>
    public IReadOnlyList<(string Name, Field Value)> Members(int most)
    {
        if (IsAbsent)
            return [];
        if (!IsObject)
            throw Wrong("an object");
        string at = path;
        (string, Field)[] members =
            [.. value.EnumerateObject().Take(most + 1).Select(member => (member.Name, new Field($"{at}.{member.Name}", member.Value)))];
        return members.Length <= most ? members : throw Wrong($"at most {most:N0} members");
    }

    /// <summary>
    /// A copy of an object, for when the body is gone; null when it is absent. Of a name that is there twice the last counts.
    /// </summary>
    public JsonObject? Copy()
    {
        if (IsAbsent)
            return null;
        JsonObject copy = [];
        foreach ((string name, Field member) in Members(MostItems))
            copy[name] = JsonNode.Parse(member.Json.GetRawText());
        return copy;
    }

    /// <summary>One of a few words.</summary>
    public string? OneOf(params ReadOnlySpan<string> words)
    {
        if (IsAbsent)
            return null;
        return IsString && words.Contains(value.GetString()!)
            ? value.GetString()
            : throw Wrong(string.Join(" or ", words.ToArray().Select(word => $"'{word}'")));
    }

    /// <summary>Refuses two fields of a body that say the same thing: one of them would be passed over.</summary>
    public void CheckAlternatives(params ReadOnlySpan<string> names)
    {
        string? first = null;
        foreach (string name in names)
            if (!this[name].IsAbsent)
                first = first is null ? name : throw this[name].Wrong($"either it or '{first}'");
    }

    /// <summary>Refuses fields of a body that say nothing without another: they would be passed over.</summary>
    public void CheckOnlyWith(string other, params IReadOnlyList<string> names)
    {
        foreach (string name in names)
            if (!this[name].IsAbsent && this[other].IsAbsent)
                throw this[name].Wrong($"it only with '{other}'");
    }

    /// <summary>The error for a value that must be there and is not.</summary>
    public RequestException Missing(string expected) => new(400, $"{path}: missing, expected {expected}", path);

    /// <summary>The error for a value that is not what it has to be.</summary>
    public RequestException Wrong(string expected) =>
        new(400, $"{(path.Length == 0 ? "the body" : path)}: {Seen()}, expected {expected}", path.Length == 0 ? null : path);

    /// <summary>The error for a value that asks for what is not done here.</summary>
    /// <param name="name">The field.</param>
    /// <param name="instead">What to do instead.</param>
    public RequestException Refused(string name, string instead) =>
        new(400, $"{name}: {Seen()} is not honoured here: {instead.Replace('`', '\'')}", name, "unsupported_field");

    string Seen() => value.ValueKind switch
    {
        JsonValueKind.Undefined or JsonValueKind.Null => "missing",
        JsonValueKind.String => Printable.Quote(value.GetString()!),
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => $"a list of {value.GetArrayLength():N0}",
        _ => Printable.Line(value.GetRawText(), 40),
    };
}
