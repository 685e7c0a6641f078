using Kvasir.Inference;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>A gap between two texts, for models whose vocabulary has tokens that say so.</summary>
static class FillIn
{
    /// <summary>The prompt that asks for what stands between two texts.</summary>
    /// <param name="before">The first, which may be absent.</param>
    /// <param name="after">The other.</param>
    /// <param name="model">The model that is asked.</param>
    /// <exception cref="RequestException">The model does not fill in, or one of them is no text.</exception>
    public static int[] Prompt(Field before, Field after, ServedModel model)
    {
        InferenceEngine engine = model.Engine;
        if (engine.Model.Tokenizer.FillIn is not { } gap)
            throw new RequestException(400,
                $"{after.Path}: {model.Id} does not support insert: its vocabulary has no tokens for prefix, suffix and middle", after.Path,
                "unsupported_field");
        foreach (Field text in (Field[])[before, after])
            if (!text.IsAbsent)
                BodyLimit.Check(text, engine.Context, engine.Model.Tokenizer.LongestToken);
        return gap.Prompt(engine.Model.Tokenizer, before.Text() ?? "", after.Text() ?? "", []);
    }
}
