using System.Collections;
using Kvasir.Inference.Saga;

namespace Kvasir.TrainSaga;

/// <summary>Texts of the language without end, for the vocabulary: documents, their questions and answers, stories.</summary>
sealed class RowTexts(SagaGenerator saga) : IEnumerable<string>
{
    public IEnumerator<string> GetEnumerator()
    {
        while (true)
        {
            SagaDocument document = saga.Document(20);
            yield return document.Text;
            foreach (SagaQuestion question in document.Facts.SelectMany(fact => fact.Questions))
            {
                yield return question.Text;
                yield return question.Answer;
            }
            yield return saga.Story();
            yield return "system\nAnswer from this saga.\n";
            yield return "user\n";
            yield return "assistant\n";
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
