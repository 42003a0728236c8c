namespace Akvam.Machine.Devices;

/// <summary>What devices ask of the whole board: the A20 gate, and ways to end or restart.</summary>
/// <remarks>The first request wins; what a guest does after it, while its processors are being stopped, changes nothing.</remarks>
public sealed class BoardControl
{
    private MachineEnd? _end;

    /// <summary>Raised once, on the thread of the processor that asked.</summary>
    public event Action? Ended;

    /// <summary>Why the machine ended, when it did.</summary>
    public MachineEnd? End => Volatile.Read(ref _end);

    /// <summary>The A20 gate, open unless a guest closes it. Guests read back what they set; addresses never wrap, as on KVM.</summary>
    public bool A20 { get; set; } = true;

    public void RequestReset(string by) => Finish(new MachineEnd(MachineEndKind.Reset, 0, by));

    public void RequestPowerOff() => Finish(new MachineEnd(MachineEndKind.PowerOff, 0, "ACPI S5"));

    public void RequestDebugExit(int code) => Finish(new MachineEnd(MachineEndKind.DebugExit, code, "debug-exit port"));

    /// <summary>Ends the machine for a reason that is not a device: a shutdown, the user, an error.</summary>
    public void Finish(MachineEnd end)
    {
        if (Interlocked.CompareExchange(ref _end, end, null) is null)
        {
            Ended?.Invoke();
        }
    }
}
