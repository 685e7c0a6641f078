using System.Text;

namespace Kvasir.Serving;

/// <summary>Plain sentences of English words without meaning, for any tokenizer; equal random numbers give equal text.</summary>
static class Words
{
    static readonly string[] s_words = (
        "about above across after again against almost along always animal answer apple around arrive autumn bridge bread bring brother build " +
        "carry castle chair change child church circle clean clear cloud coast cold corner country cross dance danger daughter deep door " +
        "dream drink early earth east empty enough evening every family farm father field find finger fire first fish floor flower follow "
        +
        "forest found friend garden gather gentle glass grass great green ground grow half hand harbour harvest head hear heart heavy herd "
        + "high " +
        "hill hold home horse hour house hunt island journey keep kind king kitchen lake lamp land large late laugh leaf learn leave "
        + "letter " +
        "light listen little long lost market master meadow measure meet middle milk mill minute money month moon morning mother mountain "
        +
        "mouth music narrow near neck never night north nothing ocean often old open orange order other over paper path people place plain "
        + "plant " +
        "play point poor proud quick quiet rain reach ready red rest rich ride ring rise river road roof room round run sail salt sand " +
        "school sea season seed ship shore short show silver simple sing sister sky sleep slow small smith smoke snow soft song sound "
        + "south " +
        "speak spring stand star start stone storm story strange stream street strong summer sun sweet table take teach tell thick thin " +
        "three through time together tower town travel tree turn under valley village visit voice wagon wait walk wall warm watch water "
        + "weather " +
        "west wheel white wide wind window winter wise with wood wool word work world worn year yellow young").Split(' ');

    /// <summary>So many words, in sentences of eight to fourteen.</summary>
    public static string Text(Random random, int words)
    {
        StringBuilder text = new();
        for (int left = words; left > 0;)
        {
            int sentence = Math.Min(left, random.Next(8, 15));
            string line = string.Join(' ', Enumerable.Range(0, sentence).Select(_ => s_words[random.Next(s_words.Length)]));
            text.Append(text.Length > 0 ? " " : "").Append(char.ToUpperInvariant(line[0])).Append(line, 1, line.Length - 1).Append('.');
            left -= sentence;
        }
        return text.ToString();
    }
}
