using Kvasir.Formats;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;

namespace Kvasir.Server.Ollama;

/// <summary>Names of models in Ollama's way: with a tag, which is <c>latest</c> where none is said.</summary>
static class ModelName
{
    const string Latest = ":latest";
    const int MostCharacters = 200;

    /// <summary>The served model's.</summary>
    public static string Of(ServedModel model) => model.Id.Contains(':', StringComparison.Ordinal) ? model.Id : model.Id + Latest;

    /// <summary>The name that a request says, as the answer says it again.</summary>
    /// <exception cref="RequestException">It names none, or one that is not served.</exception>
    public static string Read(Field body, ServedModel model)
    {
        string? older = body["name"].Text(MostCharacters);
        if ((body["model"].Text(MostCharacters) ?? older) is not { Length: > 0 } name)
            throw new RequestException(400, "model is required", "model");
        return model.GoesBy(name) || (name.EndsWith(Latest, StringComparison.Ordinal) && model.GoesBy(name[..^Latest.Length]))
            ? name
            : throw model.NotFound($"model {Printable.Quote(name)} not found");
    }
}
