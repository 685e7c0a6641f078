using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Saga;

namespace Kvasir.Tests.Fixtures;

/// <summary>The shipped model with the same weights in f32: what others compute with those is comparable to the last digits.</summary>
static class SagaInF32
{
    public static string WriteTo(string path)
    {
        using GgufFile saga = GgufFile.Open(SagaModel.Path);
        Quantizer.Quantize(saga, path, WeightMix.Of(TensorType.F32), cancellation: TestContext.Current.CancellationToken);
        return path;
    }
}
