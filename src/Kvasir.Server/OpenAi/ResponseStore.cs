using System.Text.Json.Nodes;
using Kvasir.Server.Http;
using Kvasir.Server.Security;

namespace Kvasir.Server.OpenAi;

/// <summary>An answer of <c>/v1/responses</c> that was kept.</summary>
/// <param name="Answer">The whole answer, as JSON.</param>
/// <param name="Items">All items of its conversation before it, as a JSON list.</param>
sealed record StoredResponse(string Answer, string Items)
{
    /// <summary>The conversation with this answer in it: what goes on from here begins with these items.</summary>
    public JsonArray Conversation()
    {
        JsonArray items = (JsonArray)JsonNode.Parse(Items)!, output = (JsonArray)JsonNode.Parse(Answer)!["output"]!;
        foreach (JsonNode? item in output)
            items.Add(item!.DeepClone());
        return items;
    }
}

/// <summary>
/// The last answers of <c>/v1/responses</c>, to be read, gone on from by <c>previous_response_id</c>, and deleted. In memory, and only for
/// who asked for them.
/// </summary>
/// <param name="incarnation">Of the server: an id says who made it, so that a router brings back what goes on from there.</param>
sealed class ResponseStore(string incarnation)
{
    const int Most = 1000;
    const long MostCharacters = 64 << 20;

    readonly Lock _gate = new();
    readonly OrderedDictionary<string, (byte[] Owner, StoredResponse Response)> _responses = []; // the oldest first
    long _characters;

    /// <summary>A name for an answer.</summary>
    public string NewId() => $"resp_{incarnation}{Guid.NewGuid().ToString("N")[..16]}";

    /// <exception cref="RequestException">It was never kept, is no longer, or is somebody else's: nobody learns which.</exception>
    public StoredResponse Find(string id, Principal principal, string parameter, string code)
    {
        lock (_gate)
            if (_responses.TryGetValue(id, out var found) && found.Owner.AsSpan().SequenceEqual(principal.Salt))
                return found.Response;
        throw new RequestException(404, $"{parameter}: {Formats.Printable.Quote(id)} is not known, or no longer", parameter, code);
    }

    public void Keep(string id, Principal principal, StoredResponse response)
    {
        lock (_gate)
        {
            _responses[id] = (principal.Salt, response);
            _characters += Characters(response);
            while (_responses.Count > Most || _characters > MostCharacters)
                Remove(_responses.GetAt(0).Key);
        }
    }

    /// <summary>Forgets one that <see cref="Find"/> has found.</summary>
    public void Delete(string id)
    {
        lock (_gate)
            Remove(id);
    }

    void Remove(string id)
    {
        if (_responses.Remove(id, out var old))
            _characters -= Characters(old.Response);
    }

    static long Characters(StoredResponse response) => response.Answer.Length + response.Items.Length;
}
