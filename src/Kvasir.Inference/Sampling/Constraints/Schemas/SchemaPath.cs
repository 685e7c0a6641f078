namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>A place in a schema. Its text is made only when somebody asks: names may be long and many.</summary>
sealed class SchemaPath(SchemaPath? parent, string name)
{
    readonly SchemaPath? _parent = parent;
    readonly string _name = name;

    public static SchemaPath Root { get; } = new(null, "#");

    public SchemaPath Child(string name) => new(this, name);

    /// <summary>A JSON pointer (RFC 6901) with a leading #.</summary>
    public override string ToString()
    {
        Stack<string> names = [];
        for (SchemaPath? at = this; at is not null; at = at._parent)
            names.Push(at._name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal));
        return string.Join('/', names);
    }
}
