using static Kvasir.Inference.Saga.SagaGenerator;
using static Kvasir.Inference.Saga.SagaWords;

namespace Kvasir.Inference.Saga;

/// <summary>One story: somebody has, loses or finds a thing, and a friend helps.</summary>
sealed class SagaStory
{
    readonly Random _random;
    readonly string _hero, _friend, _thing, _color, _home, _place, _job, _food;

    public SagaStory(Random random)
    {
        _random = random;
        (_hero, _friend) = (Pick(Names), Pick(Names));
        (_thing, _color, _home, _place, _job, _food) = (Pick(Objects), Pick(Colors), Pick(Places), Pick(Places), Pick(Jobs), Pick(Foods));
        while (_friend == _hero)
            _friend = Pick(Names);
    }

    public string Tell() =>
        Opening() + " " + Pick(Weather) + Break() + Trouble() + " " + Talk() + Break() +
        (_random.Next(2) == 0 ? Pick(Weather) + " " : "") + Turn() + " " + Ending();

    string Pick(string[] words) => words[_random.Next(words.Length)];

    string Break() => _random.Next(2) == 0 ? "\n" : " ";

    string Opening() => _random.Next(4) switch
    {
        0 => $"Once upon a time there was {WithArticle(_job)} named {_hero}. {_hero} lived near {_home}.",
        1 => $"Long ago, in a small village by {_home}, there lived {WithArticle(_job)} called {_hero}.",
        2 => $"This is the story of {_hero}, {WithArticle(_job)} who lived by {_home}.",
        _ => $"Once upon a time, {_hero} the {_job} went out to {_home}.",
    };

    string Trouble() => _random.Next(4) switch
    {
        0 => $"{_hero} had {WithArticle(_color)} {_thing} and loved it very much. One day the {_thing} was gone.",
        1 => $"One day {_hero} found {WithArticle(_color)} {_thing} on the road to {_place}. Nobody knew who had lost it.",
        2 => $"Every evening {_hero} took the {_color} {_thing} and walked to {_place}. One evening the {_thing} broke.",
        _ => $"{_hero} wanted a {_thing} more than anything. Then {_friend} made {WithArticle(_color)} {_thing} as a gift.",
    };

    string Talk() => _random.Next(5) switch
    {
        0 => $"\"Where is my {_thing}?\" asked {_hero}. \"I saw it in {_place},\" said {_friend}.",
        1 => $"{_hero} asked {_friend} for help. \"Come with me to {_place},\" said {_friend}.",
        2 => $"\"Do not be sad,\" said {_friend}. \"We will look for it together.\"",
        3 => $"{_friend} laughed and said, \"Share your {_food} with me and I will help you.\"",
        _ => $"{_hero} was sad and did not want to eat {_food}. But {_friend} had a plan.",
    };

    string Turn() => _random.Next(4) switch
    {
        0 => $"They walked to {_place} and there they found the {_thing}. It was still {_color} and bright.",
        1 => $"So {_hero} and {_friend} went to {_place} and worked until night. In the end the {_color} {_thing} was as good as new.",
        2 => $"At {_place} an old woman gave them the {_color} {_thing}. \"Take care of it,\" she said.",
        _ => $"After three days they came back from {_place} with the {_color} {_thing}.",
    };

    string Ending() => _random.Next(4) switch
    {
        0 => $"{_hero} thanked {_friend}, and they ate {_food} together.",
        1 => $"From that day on, {_hero} and {_friend} were the best of friends.",
        2 => $"{_hero} was happy and gave {_friend} some {_food}. They lived well for many years.",
        _ => $"And so {_hero} learned that a good friend is better than gold.",
    };
}
