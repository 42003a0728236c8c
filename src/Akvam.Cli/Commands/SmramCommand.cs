using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Akvam.Cli.Smram;
using Akvam.Debugger.Smram;

namespace Akvam.Cli.Commands;

/// <summary><c>akvam smram FILE</c> and <c>akvam smram --live SOCKET</c>.</summary>
internal static class SmramCommand
{
    public static Command Create()
    {
        var file = new Argument<string?>("FILE")
        {
            Description = "A state-save image: 512 bytes, or a dump of SMRAM (32 KiB from SMBASE + 8000h, or 64 KiB and more from SMBASE).",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string?> live = MachineOptions.File("--live", "The image of a machine that runs, of its --inspect (or, for a client of 'akvam exec', AKVAM_INSPECT).", "SOCKET");
        Option<int> cpu = MachineOptions.Number("--cpu", "N", "With --live: the processor's number.", 0, 0, 1023);
        Option<string?> format = Format("--format", "How the image is laid out, instead of finding it out");
        Option<string?> diff = MachineOptions.File("--diff", "Mark what is different in another image.");
        Option<string?> convert = Format("--convert", "Rewrite a 32-bit image in another format, into the file of --output");
        Option<string?> output = MachineOptions.File("--output", "Write the image to a file.");
        var at = new Option<long?>("--at") { Description = "Where in a dump, and that of --diff, SMBASE lies, in hexadecimal.", HelpName = "OFFSET", CustomParser = ParseOffset };
        var command = new Command("smram", "Print the processor state that an SMI saved in SMRAM, field by field.") { file, live, cpu, format, diff, convert, output, at };
        command.Validators.Add(result =>
        {
            if ((result.GetValue(file) is null) == (result.GetValue(live) is null))
            {
                result.AddError("smram needs the name of a file, or --live SOCKET");
            }

            if (result.GetValue(convert) is not null && result.GetValue(output) is null)
            {
                result.AddError("--convert needs --output FILE");
            }
        });
        command.SetAction(parsed =>
        {
            SmramFormat? wanted = SmramNames.Parse(parsed.GetValue(format) ?? "");
            string name = parsed.GetValue(file) ?? parsed.GetValue(live)!;
            SmramImage image = parsed.GetValue(live) is { } socket ? Fetch(socket, parsed.GetValue(cpu), wanted) : SmramFile.Read(name, wanted, parsed.GetValue(at));
            SmramImage? other = parsed.GetValue(diff) is { } with ? Other(with, parsed.GetValue(at), image, name) : null;
            return Show(image, other, parsed.GetValue(convert), parsed.GetValue(output));
        });
        return command;
    }

    private static SmramImage Fetch(string socket, int cpu, SmramFormat? format)
    {
        byte[] bytes = SmramClient.Fetch(socket, cpu, out SmmView view);
        string state = view.InSmm ? "in its SMI handler" : "outside SMM; what the last SMI saved, unless it was overwritten";
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"processor {cpu}: SMBASE {view.Smbase:x}h, {view.Count} SMIs, {state}"));
        if (view.Count == 0 && bytes.AsSpan().IndexOfAnyExcept((byte)0) < 0)
        {
            throw new SmramException($"{socket}: processor {cpu} has had no SMI");
        }

        return new SmramImage(bytes, format ?? SmramDetector.Detect(bytes));
    }

    /// <summary>The image to compare with, in the format of the first.</summary>
    private static SmramImage Other(string file, long? at, SmramImage image, string name)
    {
        // What --output wrote is an image alone.
        bool alone = File.Exists(file) && new FileInfo(file).Length == SmramImage.Size;
        SmramImage other = SmramFile.Read(file, at: alone ? null : at);
        if (other.Format == image.Format)
        {
            return other;
        }

        if (other.Format == SmramFormat.Amd64 || image.Format == SmramFormat.Amd64)
        {
            throw new SmramException($"{file}: is in format {SmramNames.Of(other.Format)}, {name} in {SmramNames.Of(image.Format)}; they cannot be compared");
        }

        return SmramConverter.Convert(other, image.Format, out _);
    }

    private static int Show(SmramImage image, SmramImage? other, string? convert, string? output)
    {
        IReadOnlyList<string> lost = [];
        SmramImage result = convert is null ? image : SmramConverter.Convert(image, SmramNames.Parse(convert)!.Value, out lost);
        if (output is not null)
        {
            Write(output, result.Bytes);
        }

        SmramTable.Write(result, other is null ? null : SmramConverter.Convert(other, result.Format, out _), Console.Out, !Console.IsOutputRedirected);
        if (lost.Count > 0)
        {
            Console.Error.WriteLine($"akvam: {convert} has no place for: {string.Join(", ", lost)}");
        }

        return ExitCode.Success;
    }

    private static void Write(string path, ReadOnlySpan<byte> image)
    {
        try
        {
            File.WriteAllBytes(path, image);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new SmramException($"{path}: cannot be written: {e.Message}", e);
        }
    }

    private static Option<string?> Format(string name, string description)
    {
        var option = new Option<string?>(name) { Description = $"{description}: {string.Join(", ", SmramNames.All)}.", HelpName = "FORMAT" };
        option.Validators.Add(result =>
        {
            string given = result.Tokens.Count > 0 ? result.Tokens[^1].Value : "";
            if (SmramNames.Parse(given) is null)
            {
                result.AddError($"{name} takes one of {string.Join(", ", SmramNames.All)}, not '{given}'");
            }
        });
        return option;
    }

    private static long? ParseOffset(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        ReadOnlySpan<char> digits = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text.AsSpan(2) : text;
        if (long.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long value) && value is >= 0 and < 1L << 40)
        {
            return value;
        }

        result.AddError($"--at takes an offset in hexadecimal, not '{text}'");
        return null;
    }
}
