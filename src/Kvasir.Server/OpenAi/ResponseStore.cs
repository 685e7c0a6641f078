using System.Text.Json.Nodes;
using Kvasir.Server.Security;

namespace Kvasir.Server.OpenAi;

/// <summary>
/// The last conversations of <c>/v1/responses</c>, by the answer that ended them, for <c>previous_response_id</c>. In
/// memory, and only for who held them.
/// </summary>
/// <param name="incarnation">Of the server: an id says who made it, so that a router brings back what goes on from there.</param>
sealed class ResponseStore(string incarnation)
{
    const int Most = 1000;
    const long MostCharacters = 64 << 20;

    readonly Lock _gate = new();
    readonly Dictionary<string, (string Owner, string Json)> _conversations = [];
    readonly Queue<string> _order = new();
    long _characters;

    /// <summary>A name for an answer.</summary>
    public string NewId() => $"resp_{incarnation}{Guid.NewGuid().ToString("N")[..16]}";

    public JsonArray? Find(string id, Principal principal)
    {
        lock (_gate)
            return _conversations.TryGetValue(id, out var found) && found.Owner == principal.Name
                ? (JsonArray)JsonNode.Parse(found.Json)!
                : null;
    }

    public void Keep(string id, Principal principal, JsonArray conversation)
    {
        string json = conversation.ToJsonString();
        lock (_gate)
        {
            _conversations[id] = (principal.Name, json);
            _order.Enqueue(id);
            _characters += json.Length;
            while (_order.Count > Most || _characters > MostCharacters)
                if (_conversations.Remove(_order.Dequeue(), out var old))
                    _characters -= old.Json.Length;
        }
    }
}
