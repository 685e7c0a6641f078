using System.Text.Json;
using Kvasir.Server.Hints;
using Kvasir.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Serving;

/// <summary>What becomes of the fields of requests. All readers check their bodies here before they read them.</summary>
static class RequestFields
{
    const string Ignored = "X-Kvasir-Ignored";
    const int MostNamed = 16, MostNameCharacters = 64;

    static readonly Dictionary<Endpoints, Dictionary<string, RequestField>> s_at = Enum.GetValues<Endpoints>()
        .Where(at => int.IsPow2((int)at))
        .ToDictionary(at => at, at => FieldTable.All.Where(field => field.At.HasFlag(at)).ToDictionary(field => field.Name));

    static readonly HashSet<string> s_objects =
        [.. FieldTable.All.Where(field => field.Name.Contains('.', StringComparison.Ordinal)).Select(field => field.Name.Split('.')[0])];

    /// <summary>
    /// Reads a body, checks its fields, and has it answered. Names of those that nobody knows go back in a header, since clients of others'
    /// protocols send newer ones and their own; in our own protocol they are mistakes.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="endpoint">Where it arrived.</param>
    /// <param name="answer">Reads what the body says before it waits for anything: then the body is gone.</param>
    /// <exception cref="RequestException">It is no JSON object, or has a field that cannot be honoured.</exception>
    public static Task Read(HttpContext context, Endpoints endpoint, Func<Field, Task> answer) =>
        Read(context, _ => endpoint, (_, body) => answer(body));

    /// <summary>The same where the body says which protocol it is in.</summary>
    public static async Task Read(HttpContext context, Func<Field, Endpoints> endpoint, Func<Endpoints, Field, Task> answer)
    {
        Task answering = await RequestBody.Read(context, body =>
        {
            Endpoints at = endpoint(body);
            Check(context, at, body);
            context.Features.Get<PromptBook>()?.Note(context, body.Json);
            return answer(at, body);
        });
        await answering;
    }

    /// <summary>Tells a client of tools that its model does not hear of, beside the fields that nobody knows.</summary>
    public static void TellSkipped(HttpContext context, ChatInput input)
    {
        if (input.Skipped.Count > 0)
            context.Response.Headers.Append(Ignored, string.Join(", ", input.Skipped.Take(MostNamed).Select(Plain)));
    }

    static void Check(HttpContext context, Endpoints endpoint, Field body)
    {
        List<string> told = [];
        Check(body, "", s_at[endpoint], told);
        if (told.Count > 0 && Endpoints.Kv.HasFlag(endpoint))
            throw new RequestException(400, $"{Plain(told[0])}: no field of this request, expected {string.Join(", ", s_at[endpoint].Keys)}",
                Plain(told[0]), "unsupported_field");
        if (told.Count > 0)
            context.Response.Headers[Ignored] = string.Join(", ", told.Take(MostNamed).Select(Plain));
    }

    static void Check(Field at, string path, Dictionary<string, RequestField> fields, List<string> told)
    {
        foreach ((string name, Field value) in at.Members(int.MaxValue - 1))
        {
            string full = path + name;
            if (value.IsAbsent)
                continue;
            if (fields.TryGetValue(full, out RequestField? field))
            {
                if (field.Refuses(value))
                    throw value.Refused(full, field.Note);
                if (field.Use == FieldUse.Skipped)
                    told.Add(full);
            }
            else if (!s_objects.Contains(full) || !value.IsObject)
                told.Add(full);
            if (path.Length == 0 && s_objects.Contains(name) && value.IsObject)
                Check(value, name + ".", fields, told);
        }
    }

    /// <summary>As a header takes it.</summary>
    static string Plain(string name) => string.Concat(name.Take(MostNameCharacters)
        .Select(character => char.IsAsciiLetterOrDigit(character) || character is '_' or '.' or '-' or '[' or ']' ? character : '?'));
}
