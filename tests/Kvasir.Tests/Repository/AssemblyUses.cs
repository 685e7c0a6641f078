using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Kvasir.Tests.Repository;

/// <summary>
/// Reads from a built assembly which symbols of other folders and projects its folders use: in base types, fields, signatures, attributes
/// and code. What a file merely imports is no use, and what it uses without naming it, such as a member of what a call returned, is one.
/// </summary>
sealed class AssemblyUses : IDisposable
{
    readonly ProjectFile _project;
    readonly PEReader _image;
    readonly MetadataReader _metadata;
    readonly SourcePlaces _places;
    readonly SignatureTypes _signature = new();
    readonly Dictionary<(Folder From, Folder To, string Symbol), Use> _uses = [];

    AssemblyUses(ProjectFile project)
    {
        _project = project;
        _image = new PEReader(File.OpenRead(project.Assembly));
        _metadata = _image.GetMetadataReader();
        _places = new SourcePlaces(project);
    }

    /// <summary>The first place of each symbol in each folder that uses it.</summary>
    public static IReadOnlyCollection<Use> Of(ProjectFile project)
    {
        using AssemblyUses uses = new(project);
        foreach (TypeDefinitionHandle type in uses._metadata.TypeDefinitions)
            uses.ReadType(type);
        return uses._uses.Values;
    }

    public void Dispose()
    {
        _places.Dispose();
        _image.Dispose();
    }

    void ReadType(TypeDefinitionHandle handle)
    {
        if (FolderOf(handle) is not { } from)
            return; // a generator's or the compiler's own
        TypeDefinition type = _metadata.GetTypeDefinition(handle);
        foreach (EntityHandle entity in Declared(type))
            Note(from, entity, name => _places.Of(type, handle, name));
        foreach (MethodDefinitionHandle method in type.GetMethods())
            ReadCode(from, method);
    }

    /// <summary>What a type and its members name before any code.</summary>
    List<EntityHandle> Declared(TypeDefinition type)
    {
        List<EntityHandle> named = [type.BaseType];
        named.AddRange(type.GetInterfaceImplementations().Select(each => _metadata.GetInterfaceImplementation(each).Interface));
        named.AddRange([.. Constraints(type.GetGenericParameters()), .. Constructors(type.GetCustomAttributes())]);
        foreach (FieldDefinition field in type.GetFields().Select(_metadata.GetFieldDefinition))
        {
            field.DecodeSignature(_signature, null);
            named.AddRange([.. _signature.Take(), .. Constructors(field.GetCustomAttributes())]);
        }
        foreach (MethodDefinition method in type.GetMethods().Select(_metadata.GetMethodDefinition))
        {
            method.DecodeSignature(_signature, null);
            named.AddRange([.. _signature.Take(), .. Constraints(method.GetGenericParameters())]);
            named.AddRange(Constructors(method.GetCustomAttributes()));
        }
        return named;
    }

    void ReadCode(Folder from, MethodDefinitionHandle handle)
    {
        int address = _metadata.GetMethodDefinition(handle).RelativeVirtualAddress;
        if (address == 0)
            return; // abstract
        MethodBodyBlock body = _image.GetMethodBody(address);
        foreach ((int offset, EntityHandle entity) in IlTokens.In(body))
            Note(from, entity, _ => _places.Of(handle, offset));
        foreach (ExceptionRegion region in body.ExceptionRegions)
            Note(from, region.CatchType, _ => _places.Of(handle, region.HandlerOffset));
        if (body.LocalSignature.IsNil)
            return;
        _metadata.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(_signature, null);
        foreach (EntityHandle local in _signature.Take())
            Note(from, local, _ => _places.Of(handle, 0));
    }

    IEnumerable<EntityHandle> Constraints(GenericParameterHandleCollection parameters) =>
        parameters.SelectMany(parameter => _metadata.GetGenericParameter(parameter).GetConstraints())
            .Select(constraint => _metadata.GetGenericParameterConstraint(constraint).Type);

    IEnumerable<EntityHandle> Constructors(CustomAttributeHandleCollection attributes) =>
        attributes.Select(attribute => _metadata.GetCustomAttribute(attribute).Constructor);

    /// <summary>Notes the types that an entity is made of, when they are another folder's.</summary>
    void Note(Folder from, EntityHandle entity, Func<string, (string File, int Line)?> place)
    {
        foreach ((Folder to, string type, string? member) in Owners(entity, null))
        {
            string symbol = member is null || member[0] == '.' ? type : $"{type}.{Accessor(member)}"; // a constructor is its type
            if (to != from && !_uses.ContainsKey((from, to, symbol)) && place(type) is var (file, line))
                _uses[(from, to, symbol)] = new Use(from, to, symbol, file, line);
        }
    }

    /// <summary>A property's name, of one of its accessors.</summary>
    static string Accessor(string method) =>
        method.StartsWith("get_", StringComparison.Ordinal) || method.StartsWith("set_", StringComparison.Ordinal) ? method[4..] : method;

    /// <summary>The types of ours that an entity belongs to or is made of.</summary>
    IEnumerable<(Folder Folder, string Type, string? Member)> Owners(EntityHandle entity, string? member)
    {
        if (entity.IsNil)
            return [];
        switch (entity.Kind)
        {
            case HandleKind.TypeDefinition when FolderOf((TypeDefinitionHandle)entity) is { } own:
                return [(own, NameOf((TypeDefinitionHandle)entity), member)];
            case HandleKind.TypeReference when FolderOf((TypeReferenceHandle)entity) is { } other:
                return [(other, NameOf((TypeReferenceHandle)entity), member)];
            case HandleKind.TypeSpecification:
                _metadata.GetTypeSpecification((TypeSpecificationHandle)entity).DecodeSignature(_signature, null);
                return [.. _signature.Take().SelectMany((type, i) => Owners(type, i == 0 ? member : null))];
            case HandleKind.MethodDefinition:
                MethodDefinition method = _metadata.GetMethodDefinition((MethodDefinitionHandle)entity);
                return Owners(method.GetDeclaringType(), _metadata.GetString(method.Name));
            case HandleKind.FieldDefinition:
                FieldDefinition field = _metadata.GetFieldDefinition((FieldDefinitionHandle)entity);
                return Owners(field.GetDeclaringType(), _metadata.GetString(field.Name));
            case HandleKind.MemberReference:
                MemberReference reference = _metadata.GetMemberReference((MemberReferenceHandle)entity);
                return Owners(reference.Parent, _metadata.GetString(reference.Name));
            case HandleKind.MethodSpecification:
                MethodSpecification generic = _metadata.GetMethodSpecification((MethodSpecificationHandle)entity);
                generic.DecodeSignature(_signature, null);
                return [.. _signature.Take().SelectMany(type => Owners(type, null)), .. Owners(generic.Method, null)];
            default:
                return [];
        }
    }

    /// <summary>The folder of a type, by the namespace of the outermost type around it; null for types that nobody wrote.</summary>
    Folder? FolderOf(TypeDefinitionHandle handle)
    {
        TypeDefinition type = Outermost(handle);
        return FolderIn(_project, _metadata.GetString(type.Namespace), _metadata.GetString(type.Name));
    }

    Folder? FolderOf(TypeReferenceHandle handle)
    {
        TypeReference type = Outermost(handle);
        if (type.ResolutionScope.Kind != HandleKind.AssemblyReference)
            return null;
        string assembly = _metadata.GetString(_metadata.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope).Name);
        return ProjectFile.All.FirstOrDefault(known => known.Name == assembly) is { } project
            ? FolderIn(project, _metadata.GetString(type.Namespace), _metadata.GetString(type.Name))
            : null;
    }

    static Folder? FolderIn(ProjectFile project, string space, string type)
    {
        if (space.Length == 0 && type == "Program")
            return new Folder(project.Name, Folder.Root);
        return project.Owns(space) ? Folder.Of(project, space) : null;
    }

    string NameOf(TypeDefinitionHandle handle) => Plain(_metadata.GetString(Outermost(handle).Name));

    string NameOf(TypeReferenceHandle handle) => Plain(_metadata.GetString(Outermost(handle).Name));

    static string Plain(string name) => name.Split('`')[0];

    TypeDefinition Outermost(TypeDefinitionHandle handle)
    {
        TypeDefinition type = _metadata.GetTypeDefinition(handle);
        return type.GetDeclaringType() is { IsNil: false } outer ? Outermost(outer) : type;
    }

    TypeReference Outermost(TypeReferenceHandle handle)
    {
        TypeReference type = _metadata.GetTypeReference(handle);
        return type.ResolutionScope.Kind == HandleKind.TypeReference ? Outermost((TypeReferenceHandle)type.ResolutionScope) : type;
    }
}
