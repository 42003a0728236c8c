using System.Globalization;

namespace Akvam.Cli.Bench;

/// <summary>Something that runs benchmark guests.</summary>
internal sealed class BenchEngine
{
    private readonly Func<BenchGuests, string, string, string[]?> _command;
    private readonly Func<LinuxRun, string[]>? _boot;

    /// <param name="name">What it is called on the command line.</param>
    /// <param name="missing">Why it cannot run on this machine, or null.</param>
    /// <param name="command">The program and its arguments for a guest and the text behind the guest's name, or null where it cannot run that guest.</param>
    /// <param name="boot">The same for the Linux boot, or null where it cannot do that.</param>
    private BenchEngine(string name, string? missing, Func<BenchGuests, string, string, string[]?> command, Func<LinuxRun, string[]>? boot = null)
    {
        Name = name;
        _boot = boot;
        Missing = missing;
        _command = command;
    }

    public string Name { get; }

    /// <summary>Why it cannot run on this machine, or null when it can.</summary>
    public string? Missing { get; }

    /// <summary>The engines there are.</summary>
    public static IReadOnlyList<string> Names { get; } = ["native", "interpreter", "translator", "tcg"];

    private static string Megabytes => LinuxRun.Megabytes.ToString(CultureInfo.InvariantCulture);

    /// <summary>The engine with a name of <see cref="Names"/>.</summary>
    public static BenchEngine Create(string name)
    {
        switch (name)
        {
            case "native":
                return new BenchEngine(name, null, (guests, guest, text) => guests.Twin(guest) is { } twin ? [twin, text] : null);
            case "interpreter" or "translator":
                string own = Path.Combine(AppContext.BaseDirectory, "akvam-cli");
                string? missing = !File.Exists(own) ? $"{own} is not there" : VmOptions.EngineNames.Contains(name) ? null : "it is not for this host";
                return new BenchEngine(
                    name,
                    missing,
                    (guests, guest, text) => [own, "run", guests.Image(guest), "--memory", "256", "--append", $"x {text}", "--engine", name],
                    linux => [own, "boot", "--kernel", linux.Kernel, "--initrd", linux.Initrd, "--memory", Megabytes, "--engine", name]);
            case "tcg":
                // One thread, so that its CPU time is that of the guest; the newest processor model, so that no feature is missing.
                return new BenchEngine(name, OnPath("qemu-system-x86_64") ? null : "qemu-system-x86_64 is not installed", (guests, guest, text) =>
                [
                    "qemu-system-x86_64", "-accel", "tcg,thread=single", "-machine", "pc", "-cpu", "max", "-m", "256", "-kernel", guests.Image(guest),
                    "-append", $"x {text}", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot",
                ],
                linux =>
                [
                    "qemu-system-x86_64", "-accel", "tcg,thread=single", "-machine", "pc", "-cpu", "max", "-m", Megabytes, "-kernel", linux.Kernel, "-initrd", linux.Initrd,
                    "-append", LinuxRun.CommandLine, "-display", "none", "-nic", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot",
                ]);
            default:
                throw new ArgumentOutOfRangeException(nameof(name), name, "not an engine");
        }
    }

    /// <summary>The program and its arguments for one guest, or null where this engine cannot run it.</summary>
    /// <param name="guests">The built guests.</param>
    /// <param name="guest">Which of them.</param>
    /// <param name="scale">Thousandths of the guest's usual number of operations.</param>
    public string[]? Command(BenchGuests guests, string guest, int scale) =>
        _command(guests, guest, string.Create(CultureInfo.InvariantCulture, $"scale={scale}"));

    /// <summary>The program and its arguments that boot Linux, or null where this engine cannot do that.</summary>
    public string[]? Boot(LinuxRun linux) => _boot?.Invoke(linux);

    private static bool OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Any(folder => File.Exists(Path.Combine(folder, program)));
}
