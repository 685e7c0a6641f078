using System.Collections.Immutable;

namespace Kvasir.Planning.Sizing;

/// <summary>
/// Devices as their makers describe them. Vendors' "with sparsity" figures are halved. Memory is counted in GiB where a vendor
/// writes GB, as its parts are made.
/// </summary>
public static class HardwareCatalogue
{
    const double Tera = 1e12, Gib = 1L << 30;

    /// <summary>Every device, in the order in which lists show them.</summary>
    public static ImmutableArray<Hardware> All { get; } =
    [
        // memory GB/s, bf16, 8-bit and fp32 TFLOP/s, memory GiB
        Of("h100-sxm", 3350, 989.4, 1978.9, 66.9, 80, "NVIDIA H100 datasheet, SXM5"),
        Of("h100-pcie", 2039, 756, 1513, 51.2, 80, "NVIDIA H100 datasheet, PCIe"),
        Of("h200", 4800, 989.4, 1978.9, 66.9, 141, "NVIDIA H200 datasheet, SXM"),
        Of("b200", 8000, 2250, 4500, 75, 180, "NVIDIA HGX B200 datasheet, one of eight"),
        Of("a100", 2039, 312, 624, 19.5, 80, "NVIDIA A100 datasheet, SXM 80 GB"),
        Of("l40s", 864, 362, 733, 91.6, 48, "NVIDIA L40S datasheet"),
        Of("mi300x", 5300, 1307.4, 2614.9, 163.4, 192, "AMD Instinct MI300X datasheet"),
        Of("rtx-4090", 1008, 165.2, 660.6, 82.6, 24, "NVIDIA Ada architecture whitepaper, 32-bit sums"),
        Of("rtx-5090", 1792, 209.5, 838, 104.8, 32, "NVIDIA RTX Blackwell architecture whitepaper, 32-bit sums"),
        Apple("m2-air", 100, 3.6, 24, "GPU of 10 cores as Apple announced it"),
        Apple("m2-max", 400, 13.6, 96, "GPU of 38 cores as Apple announced it"),
        Apple("m2-ultra", 800, 27.2, 192, "GPU of 76 cores as Apple announced it"),
        Apple("m3-max", 400, 14.3, 128, "40 GPU cores × 256 × 1.40 GHz, an estimate"),
        Apple("m3-ultra", 819, 28.6, 512, "80 GPU cores × 256 × 1.40 GHz, an estimate"),
        Apple("m4-max", 546, 17.2, 128, "40 GPU cores × 256 × 1.68 GHz, an estimate"),
        Of("tpu-v5e", 819, 197, 394, null, 16, "Google Cloud TPU v5e documentation"),
        Of("ryzen-7950x", 67, null, null, 2.735, 128, "zeux, LLM inference speed of light, 2024; memory: AMD"),
    ];

    /// <summary>Every name.</summary>
    public static string Names => string.Join(", ", All.Select(hardware => hardware.Name));

    /// <summary>The device of a name, in either case, or null.</summary>
    public static Hardware? Find(string name) =>
        All.FirstOrDefault(hardware => hardware.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    static Hardware Of(string name, double gigabytesPerS, double? bf16, double? eightBit, double? fp32, double gib, string source) => new()
    {
        Name = name,
        Source = source,
        MemoryBytesPerS = gigabytesPerS * 1e9,
        Bf16PerS = bf16 * Tera,
        Int8PerS = eightBit * Tera,
        Fp32PerS = fp32 * Tera,
        MemoryBytes = gib * Gib,
    };

    /// <summary>Apple publishes bandwidth. These GPUs multiply f16 as fast as f32 (philipturner/metal-benchmarks).</summary>
    static Hardware Apple(string name, double gigabytesPerS, double fp32, double gib, string arithmetic) =>
        Of(name, gigabytesPerS, fp32, null, fp32, gib, $"Apple, technical specifications; arithmetic: {arithmetic}");
}
