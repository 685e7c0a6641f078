using System.CommandLine;
using System.CommandLine.Parsing;
using Kvasir.Cli.Configuration;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Vulkan;

namespace Kvasir.Cli.Flags;

/// <summary>The flag that says what computes: the processor, or a device of Vulkan's.</summary>
sealed class DeviceFlag
{
    const string Expected = "expected cpu, vulkan, or vulkan:N with N of `kvasir devices`", Vulkan = "vulkan";

    /// <summary>What only the CPU does something with.</summary>
    static readonly string[] s_ofCpu = ["--threads", "--packed-weights"];

    readonly Setting<string?> _device = new("--device", "-dev")
    {
        Description = "What computes: cpu, vulkan (the first GPU that can), or vulkan:N (`kvasir devices` lists them)",
        Usual = "cpu",
        HelpName = "DEVICE",
        CustomParser = Parse,
    };

    public Option Option => _device;

    /// <summary>Opens it; null for the CPU.</summary>
    /// <exception cref="Kvasir.Vulkan.Devices.VulkanException">It cannot be used.</exception>
    public ComputeBackend? Open(ParseResult parsed)
    {
        if (parsed.GetValue(_device) is not { } device || device == "cpu")
            return null;
        foreach (OptionResult given in parsed.CommandResult.Children.OfType<OptionResult>())
            if (!given.Implicit && s_ofCpu.Contains(given.Option.Name))
                throw new UsageException($"{given.Option.Name}: does nothing on {device}, expected --device cpu, or none of it");
        return OpenVulkan(device == Vulkan ? null : int.Parse(device.AsSpan(Vulkan.Length + 1)));
    }

    /// <summary>Apart, so that nothing of Vulkan is loaded for the CPU.</summary>
    static VulkanBackend OpenVulkan(int? index) =>
        VulkanBackend.Open(index, CacheFolder.Find() is { } folder ? Path.Combine(folder, Vulkan) : null);

    /// <summary>As it is kept: cpu, vulkan, vulkan:N. llama.cpp's names mean the same.</summary>
    static string? Parse(ArgumentResult result)
    {
        string given = result.Tokens[^1].Value, device = given.ToLowerInvariant();
        if (device is "cpu" or "none")
            return "cpu";
        if (device == Vulkan)
            return Vulkan;
        string number = device.StartsWith(Vulkan + ":", StringComparison.Ordinal) ? device[(Vulkan.Length + 1)..]
            : device.StartsWith(Vulkan, StringComparison.Ordinal) ? device[Vulkan.Length..] : "";
        if (number.Length is > 0 and < 4 && number.All(char.IsAsciiDigit))
            return $"{Vulkan}:{int.Parse(number)}";
        result.AddError($"--device {Printable.Quote(given)}: {Expected}");
        return null;
    }
}
