using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Akvam.Cli.Commands;

/// <summary>The options several commands share.</summary>
internal static class MachineOptions
{
    private const int MinimumMegabytes = 2, MaximumMegabytes = 256 << 10;
    private const int MaximumCpus = 64;

    public static Option<int> Memory(int megabytes) => Number(
        "--memory", "MB", "The guest's memory in MiB.", megabytes, MinimumMegabytes, MaximumMegabytes);

    public static Option<int> Cpus() => Number("--cpus", "N", "The number of processors.", 1, 1, MaximumCpus);

    public static Option<string?> Trace() => File("--trace", "Write one line for each event of the machine to a file.");

    public static Option<string?> Engine()
    {
        var option = new Option<string?>("--engine")
        {
            Description = $"What executes guest code: {string.Join(" or ", VmOptions.EngineNames)}. Without it AKVAM_ENGINE decides, and then it is the first of them.",
            HelpName = "NAME",
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !VmOptions.EngineNames.Contains(result.Tokens[^1].Value))
            {
                result.AddError($"--engine takes {string.Join(" or ", VmOptions.EngineNames)}, not '{result.Tokens[^1].Value}'");
            }
        });
        return option;
    }

    public static Option<string?> Inspect() => File("--inspect", "Make a socket for 'akvam smram --live'.", "SOCKET");

    public static Option<bool> Stats() => new("--stats") { Description = "Say at the end what the engine did, and which instructions the translator left to the interpreter." };

    public static Option<string?> DumpBlocks() => File("--dump-blocks", "Write the guest and host code of each translated block to files in a folder, one a processor.", "FOLDER");

    /// <summary>An option with a file name. A name that starts like an option is one the user forgot to give.</summary>
    public static Option<string?> File(string name, string description, string helpName = "FILE")
    {
        var option = new Option<string?>(name) { Description = description, HelpName = helpName };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Any(t => t.Value.Length == 0))
            {
                result.AddError($"{name} needs the name of a file");
            }
        });
        return option;
    }

    /// <summary>An option with a whole number between two limits.</summary>
    public static Option<int> Number(string name, string unit, string description, int normal, int low, int high) => new(name)
    {
        Description = $"{description} {low} to {high}.",
        HelpName = unit,
        DefaultValueFactory = _ => normal,
        CustomParser = result => Parse(result, name, low, high),
    };

    private static int Parse(ArgumentResult result, string name, int low, int high)
    {
        string text = result.Tokens.Count > 0 ? result.Tokens[^1].Value : "";
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= low && value <= high)
        {
            return value;
        }

        result.AddError($"{name} takes a number from {low} to {high}, not '{text}'");
        return low;
    }
}
