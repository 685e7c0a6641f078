using Kvasir.Formats.Quantization;

namespace Kvasir.Formats;

/// <summary>Sizes and names of the tensor types.</summary>
public static class TensorTypes
{
    /// <summary>Every readable type's name, for messages and help.</summary>
    public static string AllNames => string.Join(", ", Enum.GetValues<TensorType>().Select(DisplayName));

    /// <summary>
    /// Bytes that are no numbers yet: parts of a tensor in a safetensors file, from which somebody makes rows of a type. No tensor of a
    /// model is of it.
    /// </summary>
    internal const TensorType Bytes = (TensorType)24; // ggml's i8, which is not read

    /// <summary>Values in one block. A row is a whole number of blocks.</summary>
    public static int BlockElements(this TensorType type) => Block(type).Elements;

    /// <summary>Bytes of one block.</summary>
    public static int BlockBytes(this TensorType type) => Block(type).Bytes;

    /// <summary>The name that users write and see, such as <c>q4_k</c>.</summary>
    public static string DisplayName(this TensorType type) => Block(type).Name;

    /// <summary>Bytes of <paramref name="columns"/> values, which must be a whole number of blocks.</summary>
    public static long RowBytes(this TensorType type, long columns)
    {
        (int elements, int bytes, string name) = Block(type);
        return columns % elements == 0
            ? checked(columns / elements * bytes)
            : throw new ArgumentException($"{columns} columns are not a multiple of {name}'s block of {elements}", nameof(columns));
    }

    /// <summary>Finds a type by its display name, in either case.</summary>
    public static bool TryParse(string name, out TensorType type)
    {
        foreach (TensorType candidate in Enum.GetValues<TensorType>())
            if (candidate.DisplayName().Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                type = candidate;
                return true;
            }
        type = default;
        return false;
    }

    /// <summary>Whether the number found in a file is a type that we read.</summary>
    internal static bool IsKnown(uint number) => number <= int.MaxValue && Enum.IsDefined((TensorType)number);

    /// <summary>What to call a number that <see cref="IsKnown"/> refuses.</summary>
    internal static string DescribeForeign(uint number) =>
        ForeignName(number) is { } name ? $"{number} ({name})" : $"{number}";

    // Types that ggml has and we do not read: naming them tells the user which file to get instead.
    static string? ForeignName(uint number) => number switch
    {
        4 => "q4_2",
        5 => "q4_3",
        9 => "q8_1",
        15 => "q8_k",
        16 => "iq2_xxs",
        17 => "iq2_xs",
        19 => "iq1_s",
        22 => "iq2_s",
        24 => "i8",
        25 => "i16",
        26 => "i32",
        27 => "i64",
        28 => "f64",
        29 => "iq1_m",
        31 => "q4_0_4_4",
        32 => "q4_0_4_8",
        33 => "q4_0_8_8",
        34 => "tq1_0",
        35 => "tq2_0",
        40 => "nvfp4",
        41 => "q1_0",
        42 => "q2_0",
        _ => null,
    };

    static (int Elements, int Bytes, string Name) Block(TensorType type) => type switch
    {
        TensorType.F32 => (1, 4, "f32"),
        TensorType.F16 => (1, 2, "f16"),
        TensorType.BF16 => (1, 2, "bf16"),
        TensorType.Q8_0 => (32, 34, "q8_0"),
        TensorType.Q4_0 => (32, 18, "q4_0"),
        TensorType.Q4_1 => (32, 20, "q4_1"),
        TensorType.Q5_0 => (32, 22, "q5_0"),
        TensorType.Q5_1 => (32, 24, "q5_1"),
        TensorType.Q2_K => (256, 84, "q2_k"),
        TensorType.Q3_K => (256, 110, "q3_k"),
        TensorType.Q4_K => (256, 144, "q4_k"),
        TensorType.Q5_K => (256, 176, "q5_k"),
        TensorType.Q6_K => (256, 210, "q6_k"),
        TensorType.IQ3_XXS => (256, 98, "iq3_xxs"),
        TensorType.IQ3_S => (256, 110, "iq3_s"),
        TensorType.IQ4_NL => (32, 18, "iq4_nl"),
        TensorType.IQ4_XS => (256, 136, "iq4_xs"),
        TensorType.MXFP4 => (32, 17, "mxfp4"),
        Bytes => (1, 1, "u8"),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a tensor type"),
    };
}
