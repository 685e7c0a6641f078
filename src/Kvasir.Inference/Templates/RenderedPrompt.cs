using System.Collections.Immutable;

namespace Kvasir.Inference.Templates;

/// <summary>A stretch of a prompt: input is what came from users, tools or models, all else is the template's own text.</summary>
public readonly record struct PromptSegment(string Text, bool IsInput);

/// <summary>What a template wrote, with every character's origin: only the template's own text may hold control tokens.</summary>
public sealed class RenderedPrompt
{
    readonly int[] _ends; // [segment] where in the text it ends

    /// <summary>A prompt of these segments, one after the other. Empty ones are dropped and neighbours of one kind joined.</summary>
    public RenderedPrompt(IEnumerable<PromptSegment> segments)
    {
        ArgumentNullException.ThrowIfNull(segments);
        Segments = Joined(segments);
        Text = string.Concat(Segments.Select(segment => segment.Text));
        _ends = new int[Segments.Length];
        for (int i = 0, end = 0; i < _ends.Length; i++)
            _ends[i] = end += Segments[i].Text.Length;
    }

    /// <summary>The segments in order; none is empty and neighbours differ in kind.</summary>
    public ImmutableArray<PromptSegment> Segments { get; }

    /// <summary>The whole text.</summary>
    public string Text { get; }

    /// <summary>Whether none of these characters is input.</summary>
    internal bool IsTemplate(int start, int length)
    {
        int found = Array.BinarySearch(_ends, start + 1), segment = found < 0 ? ~found : found;
        return !Segments[segment].IsInput && start + length <= _ends[segment];
    }

    static ImmutableArray<PromptSegment> Joined(IEnumerable<PromptSegment> segments)
    {
        var joined = ImmutableArray.CreateBuilder<PromptSegment>();
        List<string> run = [];
        bool isInput = false;
        foreach (PromptSegment segment in segments)
        {
            if (segment.Text.Length == 0) continue;
            if (segment.IsInput != isInput) Flush();
            isInput = segment.IsInput;
            run.Add(segment.Text);
        }
        Flush();
        return joined.ToImmutable();

        void Flush()
        {
            if (run.Count > 0) joined.Add(new PromptSegment(string.Concat(run), isInput));
            run.Clear();
        }
    }
}
