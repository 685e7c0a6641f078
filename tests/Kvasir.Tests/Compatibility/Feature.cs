namespace Kvasir.Tests.Compatibility;

/// <summary>What clients ask of a server: the columns of docs/compatibility.md, in this order.</summary>
enum Feature
{
    /// <summary>A conversation is answered as a whole.</summary>
    Chat,

    /// <summary>An answer streams, and says the same.</summary>
    Stream,

    /// <summary>Tools are called, and their results go back in.</summary>
    Tools,

    /// <summary>An answer keeps to a schema.</summary>
    Schema,

    /// <summary>Thoughts come apart from the answer.</summary>
    Reasoning,

    /// <summary>The usage says what came from the cache.</summary>
    Cache,

    /// <summary>A text is gone on with.</summary>
    Completions,

    /// <summary>OpenAI's responses, with what they keep.</summary>
    Responses,

    /// <summary>Texts become vectors.</summary>
    Embeddings,

    /// <summary>Tokens are counted, or made of a text.</summary>
    Tokens,

    /// <summary>Models are listed.</summary>
    Models,

    /// <summary>What is refused is an error of the client's own type.</summary>
    Errors,

    /// <summary>A stream that is left ends at once.</summary>
    Leaving,
}
