namespace Kvasir.Inference.Saga;

/// <summary>The embedded model: trained by us on the saga language, small enough to ship.</summary>
public static class SagaModel
{
    /// <summary>Where the model file lies: beside the program, whether built, published or installed as a tool.</summary>
    public static string Path { get; } = System.IO.Path.Combine(AppContext.BaseDirectory, "saga.gguf");
}
