using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Akvam.Tests.Abi;

/// <summary>Asks the C compiler and the installed kernel headers for the value of facts.</summary>
internal static class NativeProbe
{
    private const string Packages = "install gcc, libc6-dev and linux-libc-dev ('./akvam test' does)";

    /// <summary>Values by key. A fact whose guard the headers do not define is missing from the result.</summary>
    /// <exception cref="InvalidOperationException">No C compiler, no headers, or a name that C does not know; the message has the compiler's words.</exception>
    public static IReadOnlyDictionary<string, ulong> Ask(IEnumerable<AbiFact> facts)
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("akvam-abi-");
        try
        {
            string source = Path.Combine(directory.FullName, "probe.c");
            string program = Path.Combine(directory.FullName, "probe");
            File.WriteAllText(source, Source(facts));
            Run("cc", "-std=gnu11", "-O0", "-w", "-o", program, source);
            return Parse(Run(program));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>Everything that differs, one line each: wrong values, and names the headers do not have although nothing excuses them.</summary>
    public static List<string> Compare(IReadOnlyCollection<AbiFact> facts, IReadOnlyDictionary<string, ulong> native)
    {
        List<string> differences = [];
        foreach (AbiFact fact in facts)
        {
            string name = fact.Key[(fact.Key.IndexOf(':', StringComparison.Ordinal) + 1)..];
            if (native.TryGetValue(fact.Key, out ulong value))
            {
                if (value != fact.Value)
                {
                    differences.Add($"{fact.Key}: Akvam.Abi 0x{fact.Value:x}, kernel headers 0x{value:x}");
                }
            }
            else if (!AbiExceptions.LaterConstants.ContainsKey(name) && !AbiExceptions.LaterLayouts.Values.Contains(fact.Guard))
            {
                differences.Add($"{fact.Key}: not in the kernel headers");
            }
        }

        return differences;
    }

    private static string Source(IEnumerable<AbiFact> facts)
    {
        StringBuilder text = new();
        text.AppendLine("#include <errno.h>");
        text.AppendLine("#include <stddef.h>");
        text.AppendLine("#include <stdio.h>");
        text.AppendLine("#include <string.h>");
        text.AppendLine("#include <sys/ioctl.h>");
        text.AppendLine("#include <linux/kvm.h>");
        text.AppendLine("#include <linux/kvm_para.h>");

        // Plain char counts as unsigned: the headers use it for bytes without a sign.
        text.AppendLine("#define SIGNED(x) _Generic((x), signed char: 1, short: 1, int: 1, long: 1, long long: 1, default: 0)");
        text.AppendLine("#define FACT(key, x) printf(\"%s %llx\\n\", key, (unsigned long long)(x))");
        text.AppendLine("int main(void)");
        text.AppendLine("{");
        foreach (AbiFact fact in facts)
        {
            if (fact.Guard is not null)
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"#ifdef {fact.Guard}");
            }

            text.AppendLine(CultureInfo.InvariantCulture, $"    FACT(\"{fact.Key}\", {fact.CExpression});");
            if (fact.Guard is not null)
            {
                text.AppendLine("#endif");
            }
        }

        text.AppendLine("    return 0;");
        text.AppendLine("}");
        return text.ToString();
    }

    private static Dictionary<string, ulong> Parse(string output) =>
        output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')).ToDictionary(
            parts => parts[0], parts => ulong.Parse(parts[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture));

    private static string Run(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0
                ? output
                : throw new InvalidOperationException($"'{program}' failed; it needs the kernel's headers: {Packages}.\n{errors.GetAwaiter().GetResult()}");
        }
        catch (Win32Exception exception)
        {
            throw new InvalidOperationException($"No C compiler '{program}' to check the ABI with: {Packages}.", exception);
        }
    }
}
