using System.Globalization;

namespace Akvam.Cli.Bench;

/// <summary>Something that runs benchmark guests.</summary>
internal sealed class BenchEngine
{
    private readonly Func<BenchGuests, string, string, string[]?> _command;
    private readonly Func<BenchGuests, LinuxRun, string[]>? _boot;

    /// <param name="name">What it is called on the command line.</param>
    /// <param name="missing">Why it cannot run on this machine, or null.</param>
    /// <param name="command">The program and its arguments for a guest and the text behind the guest's name, or null where it cannot run that guest.</param>
    /// <param name="boot">The same for the Linux boot, or null where it cannot do that.</param>
    private BenchEngine(string name, string? missing, Func<BenchGuests, string, string, string[]?> command, Func<BenchGuests, LinuxRun, string[]>? boot = null)
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
    public static IReadOnlyList<string> Names { get; } = ["native", "interpreter", "translator", "tcg", "exec"];

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
                    (_, linux) => [own, "boot", "--kernel", linux.Kernel, "--initrd", linux.Initrd, "--append", linux.Append, "--memory", Megabytes, "--engine", name]);
            case "tcg":
                // One thread, so that its CPU time is that of the guest.
                return Qemu(name, "tcg,thread=single", _ => []);
            case "exec":
                // The script becomes QEMU, and Akvam a part of that process, so its CPU time is all of it.
                return Qemu(name, "kvm", guests => [guests.Script, "exec", "--"]);
            default:
                throw new ArgumentOutOfRangeException(nameof(name), name, "not an engine");
        }
    }

    /// <summary>QEMU with the newest processor model, so that no feature is missing.</summary>
    private static BenchEngine Qemu(string name, string accelerator, Func<BenchGuests, string[]> before)
    {
        string[] Command(BenchGuests guests, string[] more) =>
        [
            .. before(guests), "qemu-system-x86_64", "-accel", accelerator, "-machine", "pc", "-cpu", "max", "-m", Megabytes, .. more,
            "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot",
        ];
        return new BenchEngine(
            name,
            OnPath("qemu-system-x86_64") ? null : "qemu-system-x86_64 is not installed",
            (guests, guest, text) => Command(guests, ["-kernel", guests.Image(guest), "-append", $"x {text}", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]),
            (guests, linux) => Command(guests, ["-kernel", linux.Kernel, "-initrd", linux.Initrd, "-append", linux.CommandLine, "-nic", "none"]));
    }

    /// <summary>The program and its arguments for one guest, or null where this engine cannot run it.</summary>
    /// <param name="guests">The built guests.</param>
    /// <param name="guest">Which of them.</param>
    /// <param name="scale">Thousandths of the guest's usual number of operations.</param>
    public string[]? Command(BenchGuests guests, string guest, int scale) =>
        _command(guests, guest, string.Create(CultureInfo.InvariantCulture, $"scale={scale}"));

    /// <summary>The program and its arguments that boot Linux, or null where this engine cannot do that.</summary>
    public string[]? Boot(BenchGuests guests, LinuxRun linux) => _boot?.Invoke(guests, linux);

    private static bool OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Any(folder => File.Exists(Path.Combine(folder, program)));
}
