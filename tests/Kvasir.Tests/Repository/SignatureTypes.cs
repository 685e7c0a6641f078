using System.Collections.Immutable;
using System.Reflection.Metadata;

namespace Kvasir.Tests.Repository;

/// <summary>Gathers the types that stand in signatures: of fields, methods, locals and generic arguments.</summary>
sealed class SignatureTypes : ISignatureTypeProvider<object?, object?>
{
    readonly List<EntityHandle> _types = [];

    /// <summary>What has been gathered since the last call.</summary>
    public EntityHandle[] Take()
    {
        EntityHandle[] types = [.. _types];
        _types.Clear();
        return types;
    }

    public object? GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) => Add(handle);

    public object? GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) => Add(handle);

    public object? GetTypeFromSpecification(MetadataReader reader, object? context, TypeSpecificationHandle handle, byte rawTypeKind) =>
        reader.GetTypeSpecification(handle).DecodeSignature(this, context);

    public object? GetArrayType(object? elementType, ArrayShape shape) => null;

    public object? GetByReferenceType(object? elementType) => null;

    public object? GetFunctionPointerType(MethodSignature<object?> signature) => null;

    public object? GetGenericInstantiation(object? genericType, ImmutableArray<object?> typeArguments) => null;

    public object? GetGenericMethodParameter(object? genericContext, int index) => null;

    public object? GetGenericTypeParameter(object? genericContext, int index) => null;

    public object? GetModifiedType(object? modifier, object? unmodifiedType, bool isRequired) => null;

    public object? GetPinnedType(object? elementType) => null;

    public object? GetPointerType(object? elementType) => null;

    public object? GetPrimitiveType(PrimitiveTypeCode typeCode) => null;

    public object? GetSZArrayType(object? elementType) => null;

    object? Add(EntityHandle type)
    {
        _types.Add(type);
        return null;
    }
}
