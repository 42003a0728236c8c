using Akvam.Machine.Devices;

namespace Akvam.Machine;

/// <summary>The devices of the board and how they are wired, apart from what the KVM core emulates itself.</summary>
internal sealed class PcDevices : IDisposable
{
    private const ushort SerialPort = 0x3F8;

    private readonly PortBus _ports;
    private readonly RtcCmos _rtc;
    private readonly AcpiPm _pm;
    private readonly PowerFunction _power;
    private bool _pmMapped;

    /// <param name="options">What the PC is made of.</param>
    /// <param name="control">The board's reset, power and A20 lines.</param>
    /// <param name="gate">The ports, and the lock all devices run under.</param>
    /// <param name="irq">Gives the line of an ISA interrupt.</param>
    /// <param name="smramChanged">Tells who sees SMRAM: in SMM, outside of it.</param>
    /// <param name="configured">Whether the board starts as firmware would leave it.</param>
    public PcDevices(
        PcOptions options, BoardControl control, DeviceGate gate, Func<int, IrqLine> irq, Action<bool, bool> smramChanged, bool configured)
    {
        _ports = gate.Ports;
        Serial = new Uart16550(SerialPort, options.SerialInput, options.SerialOutput, irq(4));
        _rtc = new RtcCmos(options.Time, irq(8), gate.Lock, new GuestLayout((ulong)options.MemoryMegabytes << 20), options.Cpus);
        _pm = new AcpiPm(options.Time, irq(Firmware.AcpiTables.SciInterrupt), control, gate.Lock, configured);
        _power = new PowerFunction(configured);
        var bridge = new HostBridge();
        bridge.SmramChanged += smramChanged;
        var pci = new PciBus(control);
        pci.Add(0, 0, bridge);
        pci.Add(1, 0, new IsaBridge());
        pci.Add(1, 3, _power);
        var keyboard = new KeyboardController(irq(1), control);

        _ports.Map(SerialPort, 8, Serial, access: InsideAccess.All);
        _ports.Map(0x70, 2, _rtc, access: InsideAccess.All);
        _ports.Map(0x60, 1, keyboard);
        _ports.Map(0x64, 1, keyboard);
        _ports.Map(0x80, 1, new PostPort(), access: InsideAccess.All | InsideAccess.Unlocked);
        _ports.Map(0x92, 1, new SystemControlPort(control));
        // The SMI goes to the processor that wrote, which finds it handled right after its OUT.
        _ports.Map(0xB2, 2, new ApmPorts(() => _power.ApmRaisesSmi, () => gate.Serving?.Smi()));
        _ports.Map(0xE9, 1, new DebugConsole(0xE9, options.DebugOutput), access: InsideAccess.All);
        _ports.Map(0xF4, 4, new DebugExit(control), width: 4);
        _ports.Map(0x402, 1, new DebugConsole(0xE9, options.DebugOutput), access: InsideAccess.All);
        _ports.Map(0xCF8, 8, pci, width: 4);
        _power.PmBaseChanged += MapPm;
        MapPm();
    }

    /// <summary>The serial console.</summary>
    public Uart16550 Serial { get; }

    public void Dispose()
    {
        _rtc.Dispose();
        _pm.Dispose();
    }

    private void MapPm()
    {
        if (_pmMapped)
        {
            _ports.Unmap(_pm);
            _pmMapped = false;
        }

        if (_power.PmBase is { } start)
        {
            _pm.MoveTo(start);
            _ports.Map(start, AcpiPm.Length, _pm, width: 4, InsideAccess.Read);
            _pmMapped = true;
        }
    }
}
