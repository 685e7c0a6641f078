using System.Text;
using System.Text.Json;
using Kvasir.Formats;

namespace Kvasir.Planning.Traces;

/// <summary>The fields of one line's object, one after another. What is wrong is told with file, line and field.</summary>
ref struct FieldReader(string path, long number, ReadOnlySpan<byte> line)
{
    Utf8JsonReader _json = new(line);

    /// <summary>Name of the field for messages.</summary>
    string _field = "";

    /// <summary>
    /// Whether a line is the beginning of an object and no more. One that is wrong is not: reading it says what is wrong.
    /// </summary>
    public static bool IsTorn(ReadOnlySpan<byte> line)
    {
        var json = new Utf8JsonReader(line, isFinalBlock: false, default);
        try
        {
            while (json.Read())
            {
            }
            return json.CurrentDepth > 0 || json.TokenType == JsonTokenType.StartObject;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    public void Begin()
    {
        _json.Read();
        if (_json.TokenType != JsonTokenType.StartObject)
            throw Error(null, Seen(), "a JSON object");
    }

    /// <summary>Goes on to the next field and its value; false after the last, when nothing follows the object either.</summary>
    public bool TryNext()
    {
        _json.Read();
        if (_json.TokenType == JsonTokenType.PropertyName)
            return true;
        _json.Read(); // throws when something follows
        return false;
    }

    /// <summary>Whether the field has this name; its value comes next then.</summary>
    public bool Is(ReadOnlySpan<byte> name, string field)
    {
        if (!_json.ValueTextEquals(name))
            return false;
        _field = field;
        _json.Read();
        return true;
    }

    public void Skip() => _json.Skip();

    public long Whole(long least, long most) =>
        _json.TokenType == JsonTokenType.Number && _json.TryGetInt64(out long value) && value >= least && value <= most
            ? value
            : throw Wrong($"a whole number from {least} to {most}");

    public double Decimal(double least, double most) =>
        _json.TokenType == JsonTokenType.Number && _json.TryGetDouble(out double value) && value >= least && value <= most
            ? value
            : throw Wrong($"a number from {least} to {most}");

    public string Text(int longest) =>
        _json.TokenType == JsonTokenType.String && _json.ValueSpan.Length <= longest
            ? _json.GetString()!
            : throw Wrong($"a text of at most {longest} bytes");

    /// <summary>Reads whole numbers of 64 bits into a list that is empty before.</summary>
    public bool Ids(List<long> ids)
    {
        ids.Clear();
        if (_json.TokenType != JsonTokenType.StartArray)
            throw Wrong("an array of whole numbers of 64 bits");
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
            ids.Add(_json.TokenType == JsonTokenType.Number && _json.TryGetInt64(out long id)
                ? id
                : throw Wrong("whole numbers of 64 bits in the array"));
        return true;
    }

    /// <summary>A field that stands there again is refused: readers would disagree on which one counts.</summary>
    public T Once<T>(T value, bool isFirst) => isFirst ? value : throw Error(_field, "it twice", "it once");

    public TraceFormatException Missing(string field, string expected = "it in every line") => Error(field, "nothing", expected);

    public TraceFormatException Error(string? field, string seen, string expected) =>
        TraceFormatException.At(path, number, field, seen, expected);

    TraceFormatException Wrong(string expected) => Error(_field, Seen(), expected);

    string Seen() => _json.TokenType switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => $"\"{Start()}\"",
        _ => Start(),
    };

    string Start() => Printable.Line(Encoding.UTF8.GetString(_json.ValueSpan[..Math.Min(200, _json.ValueSpan.Length)]));
}
