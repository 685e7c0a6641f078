using Kvasir.Tests.Cli;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Vulkan;

/// <summary>What the command says of devices, and of wishes that none can fulfil.</summary>
public class DeviceFlagTests
{
    /// <summary>With no driver, whatever is installed.</summary>
    static readonly Dictionary<string, string> s_noDriver = new()
    {
        ["VK_DRIVER_FILES"] = "/nonexistent.json", ["VK_ICD_FILENAMES"] = "/nonexistent.json",
    };

    [Fact]
    public void Without_a_driver_there_is_the_processor_and_a_line_that_says_why()
    {
        KvasirResult result = RunIn(s_noDriver, "devices", "--json");
        Assert.Equal("cpu", result.Json.GetProperty("device").GetString());
        Assert.StartsWith("Vulkan: ", Assert.Single(KvasirResult.Lines(result.Errors)), StringComparison.Ordinal);
        RunIn(s_noDriver, "run", "--device", "vulkan", "hi").Fails(1, "Vulkan: ");
        RunIn(s_noDriver, "run", "--device", "cpu", "-n", "2", "hi").Succeeds();
    }

    [Theory]
    [InlineData("--device 'gpu': expected cpu, vulkan, or vulkan:N with N of `kvasir devices`", "--device", "gpu")]
    [InlineData("--device 'vulkan:x': expected cpu, vulkan, or vulkan:N with N of `kvasir devices`", "-dev", "vulkan:x")]
    [InlineData("--threads: does nothing on vulkan, expected --device cpu, or none of it", "--device", "vulkan", "-t", "2")]
    public void What_is_no_device_is_refused(string message, params string[] args) => Run(["run", .. args, "hi"]).Fails(2, message);

    [Fact]
    public void A_device_answers_as_the_processor_does()
    {
        VulkanTests.NeedDevice();
        Run("run", "--device", "vulkan:99", "hi").Fails(1, "vulkan:99: no such device, expected vulkan:0");
        string[] question = ["run", "--temp", "0", "-n", "12", "--no-persist", "Once upon a time"];
        Assert.Equal(Run(question).Answer, Run([.. question, "--device", "vulkan"]).Answer);
    }
}
