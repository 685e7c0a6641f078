using Kvasir.Inference.Saga;

namespace Kvasir.Inference;

/// <summary>An engine, and what goes with the one who uses it.</summary>
/// <param name="engine">The engine.</param>
/// <param name="owned">What is disposed with it, in order.</param>
sealed class OwnedEngine(InferenceEngine engine, params IDisposable[] owned) : IDisposable
{
    IDisposable[] _owned = owned;

    public InferenceEngine Engine => engine;

    /// <summary>The name by which callers know the model.</summary>
    public string ModelId => engine.Model.Config.Name;

    /// <summary>Loads a model, or the embedded one, and makes an engine for it.</summary>
    public static OwnedEngine Load(string? path, EngineOptions? options)
    {
        LanguageModel model = LanguageModel.Load(path ?? SagaModel.Path);
        try
        {
            InferenceEngine engine = new(model, options ?? new EngineOptions());
            return new OwnedEngine(engine, engine, model);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Refuses a request for another model.</summary>
    /// <exception cref="ArgumentException">The name is not the model's.</exception>
    public void CheckModel(string? id)
    {
        if (id is not null && !id.Equals(ModelId, StringComparison.OrdinalIgnoreCase))
            throw new ArgumentException(
                $"ModelId: {Formats.Printable.Quote(id)} is not loaded here, expected {Formats.Printable.Quote(ModelId)} or null");
    }

    /// <summary>The first of these, of the engine, its cache and its model that is of the type.</summary>
    public object? Service(Type type, object? key, params ReadOnlySpan<object> others)
    {
        ArgumentNullException.ThrowIfNull(type);
        object[] all = [.. others, engine, engine.Cache, engine.Model];
        return key is null ? Array.Find(all, type.IsInstanceOfType) : null;
    }

    public void Dispose()
    {
        foreach (IDisposable each in Interlocked.Exchange(ref _owned, []))
            each.Dispose();
    }
}
