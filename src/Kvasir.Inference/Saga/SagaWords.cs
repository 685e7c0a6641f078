namespace Kvasir.Inference.Saga;

/// <summary>The vocabulary of the saga language. The embedded model was trained on these words and knows no others.</summary>
static class SagaWords
{
    public static readonly string[] Names = (
        "Astrid Bjorn Freya Leif Ingrid Sven Sigrid Erik Helga Ivar Kari Olaf Runa Torsten Ulf Vidar Yrsa Gunnar Hilda Dag Embla " +
        "Frode Greta Harald Idun Jorunn Knut Liv Magnus Nora Odd Petra Ragnar Saga Tove Una Viggo Alva Birger Dagny Einar Finn " +
        "Gudrun Hakon Inga Jarl Kettil Linnea Mats Njal Orm Ragna Signe Tyra Ubbe Vera Wilma Asa Brage Ebba Folke Gorm Hedda Isak " +
        "Kolbein Lovisa Marit Nils Oda Per Rolf Solveig Trygve Ylva Arne Berit Cnut Disa Eskil Frida Geir").Split(' ');

    public static readonly string[] Objects = (
        "lantern shield cup harp boat rope map key hammer drum cloak ring book chest horn knife basket blanket bell candle crown " +
        "mirror spoon bowl sled kite wheel ladder broom saddle anchor sail flute jar lamp box coin brush needle axe bucket cart " +
        "net oar plate scarf tent whistle barrel bridle chain comb dice fan glove helmet hook kettle loom mask nail pillow quilt " +
        "rake scroll table vase whip yoke").Split(' ');

    public static readonly string[] Colors = "red blue green yellow white black brown gray golden silver purple orange".Split(' ');

    public static readonly string[] Places =
    [
        "the old mill", "the north tower", "the harbor", "the deep cellar", "the stone barn", "the great hall", "the pine forest",
        "the river bank", "the market", "the temple", "the smithy", "the long bridge", "the high cliff", "the meadow",
        "the boat house", "the bakery", "the garden", "the cave", "the south gate", "the white island", "the frozen lake",
        "the hill farm", "the watch house", "the green valley", "the inn", "the school", "the well", "the castle", "the stable",
        "the orchard", "the lighthouse", "the library", "the quiet bay", "the swamp", "the quarry", "the windmill", "the royal tent",
        "the chapel", "the dark woods", "the sand beach", "the east wall", "the wooden dock", "the silver mine", "the salt house",
        "the ruined fort", "the rose field", "the black rock", "the upper room", "the kitchen", "the guest house",
    ];

    public static readonly string[] Jobs = (
        "baker smith sailor farmer hunter weaver singer carpenter healer guard teacher fisher cook miller potter tailor shepherd " +
        "painter rider builder scribe brewer miner judge gardener trader").Split(' ');

    public static readonly string[] Animals =
        "goats sheep cows hens dogs cats horses pigs geese ducks rabbits oxen bees foxes crows owls".Split(' ');

    public static readonly string[] Foods = (
        "bread soup cheese apples fish honey porridge berries cabbage carrots cakes eggs milk onions pears plums stew butter nuts " +
        "turnips beans mushrooms").Split(' ');

    public static readonly string[] Days = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".Split(' ');

    public static readonly string[] Relations = "brother sister friend cousin teacher neighbor uncle aunt rival partner".Split(' ');

    public static readonly string[] Numbers = "two three four five six seven eight nine ten eleven twelve".Split(' ');

    public static readonly string[] Weather =
    [
        "The wind was cold that day.", "Snow fell on the roofs all night.", "The sun came up late over the hills.",
        "It rained until the evening.", "The sea was calm and gray.", "People sang by the fire.",
        "A raven sat on the gate and watched.", "The children played near the water.", "Smoke rose from every house.",
        "The days were long and bright.", "Nobody knew what the winter would bring.", "The old people told stories about the gods.",
        "The ice was thick and clear.", "The dogs barked at the moon.", "The road was wet and slow.",
        "Everyone was tired but happy.", "A ship with a striped sail passed by.", "The stars were very bright.",
        "The grass smelled sweet.", "The fog came in from the sea.",
    ];
}
