using Akvam.Machine;
using Akvam.Machine.Devices;

namespace Akvam.Tests.Machine;

public sealed class BoardDeviceTests
{
    private readonly BoardControl _control = new();
    private readonly PortBus _bus = new();

    [Fact]
    public void UnclaimedPortsFloat()
    {
        _bus.Write(0x1234, 4, 5);
        Assert.Equal((0xFFu, 0xFFFFu, 0xFFFF_FFFFu), (_bus.Read(0x1234, 1), _bus.Read(0x1234, 2), _bus.Read(0x1234, 4)));
    }

    [Fact]
    public void WideAccessesToByteDevicesAreSplit()
    {
        var seen = new List<byte>();
        _bus.Map(0xE9, 1, new DebugConsole(0xE9, seen.Add));
        _bus.Map(0xEA, 1, new DebugConsole(0x11, seen.Add));
        _bus.Write(0xE9, 2, 0x4241);
        Assert.Equal("AB"u8.ToArray(), seen);
        Assert.Equal(0x11E9u, _bus.Read(0xE9, 2));
        Assert.Equal(0xFFFF_11E9u, _bus.Read(0xE9, 4));
    }

    [Theory]
    [InlineData(0x10u, 0x21)]
    [InlineData(0u, 1)]
    [InlineData(0x7Fu, 0xFF)]
    public void DebugExitShiftsAndSetsBitZero(uint value, int code)
    {
        _bus.Map(0xF4, 4, new DebugExit(_control), 4);
        _bus.Write(0xF4, 4, value);
        Assert.Equal(new MachineEnd(MachineEndKind.DebugExit, code, "debug-exit port"), _control.End);
    }

    [Fact]
    public void TheFirstEndWins()
    {
        int raised = 0;
        _control.Ended += () => raised++;
        _control.RequestPowerOff();
        _control.RequestReset("later");
        Assert.Equal(MachineEndKind.PowerOff, _control.End!.Kind);
        Assert.Equal(1, raised);
    }

    [Fact]
    public void Port92HasA20AndAResetOnTheRisingEdge()
    {
        var port = new SystemControlPort(_control);
        port.Write(0x92, 1, 0);
        Assert.False(_control.A20);
        port.Write(0x92, 1, 2);
        Assert.True(_control.A20);
        Assert.Equal(2u, port.Read(0x92, 1));
        Assert.Null(_control.End);
        port.Write(0x92, 1, 3);
        Assert.Equal(MachineEndKind.Reset, _control.End!.Kind);
    }

    [Fact]
    public void KeyboardControllerPassesItsSelfTests()
    {
        var lines = new List<bool>();
        var keyboard = new KeyboardController(lines.Add, _control);
        Assert.Equal(0x55u, Command(0xAA));
        Assert.Equal(0x00u, Command(0xAB));
        keyboard.Write(0x64, 1, 0x60);
        keyboard.Write(0x60, 1, 0x47);
        Assert.Equal(0x47u, Command(0x20));
        keyboard.Write(0x60, 1, 0xFF);
        Assert.Equal((0xFAu, 0xAAu), (keyboard.Read(0x60, 1), keyboard.Read(0x60, 1)));
        Assert.Equal(0u, keyboard.Read(0x64, 1) & 1);
        Assert.Contains(true, lines);

        uint Command(byte command)
        {
            keyboard.Write(0x64, 1, command);
            Assert.Equal(1u, keyboard.Read(0x64, 1) & 1);
            return keyboard.Read(0x60, 1);
        }
    }

    [Theory]
    [InlineData(0xFE)]
    [InlineData(0xF0)]
    public void KeyboardControllerPulsesReset(byte command)
    {
        new KeyboardController(_ => { }, _control).Write(0x64, 1, command);
        Assert.Equal(MachineEndKind.Reset, _control.End!.Kind);
    }

    [Fact]
    public void KeyboardControllerGatesA20()
    {
        var keyboard = new KeyboardController(_ => { }, _control);
        keyboard.Write(0x64, 1, 0xD1);
        keyboard.Write(0x60, 1, 0xDD);
        Assert.False(_control.A20);
        keyboard.Write(0x64, 1, 0xD1);
        keyboard.Write(0x60, 1, 0xDF);
        Assert.True(_control.A20);
        Assert.Null(_control.End);
    }

    [Fact]
    public void PmTimerCountsItsFrequencyIn24Bits()
    {
        var time = new ManualTime();
        using AcpiPm pm = NewPm(time, _ => { });
        uint start = pm.Read(0x608, 4);
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(35_795_450u & 0xFF_FFFF, (pm.Read(0x608, 4) - start) & 0xFF_FFFF);
    }

    [Fact]
    public void PmTimerOverflowRaisesSciOnce()
    {
        var time = new ManualTime();
        var line = new List<bool>();
        using AcpiPm pm = NewPm(time, line.Add);
        pm.Write(0x602, 2, 1);
        time.Advance(TimeSpan.FromSeconds(2.4));
        Assert.Equal([true], line);
        Assert.Equal(1u, pm.Read(0x600, 2));
        pm.Write(0x600, 2, 1);
        Assert.Equal([true, false], line);
    }

    [Fact]
    public void SleepTypeZeroWithEnableSwitchesOff()
    {
        using AcpiPm pm = NewPm(new ManualTime(), _ => { });
        Assert.Equal(1u, pm.Read(0x604, 2));
        pm.Write(0x604, 2, 0x2000);
        Assert.Equal(MachineEndKind.PowerOff, _control.End!.Kind);
    }

    [Fact]
    public void PciFindsTheThreeFunctionsTheBenchGuestLooksFor()
    {
        PciBus pci = NewPci(out _, out _);
        Assert.Equal(0x1237_8086u, Config(pci, 0, 0, 0));
        Assert.Equal(0x7000_8086u, Config(pci, 1, 0, 0));
        Assert.Equal(0x7113_8086u, Config(pci, 1, 3, 0));
        Assert.Equal(uint.MaxValue, Config(pci, 31, 0, 0));
        Assert.Equal(0x601u, Config(pci, 1, 3, 0x40) & 0xFFC1);
    }

    [Fact]
    public void IdentityRegistersAreReadOnly()
    {
        PciBus pci = NewPci(out _, out _);
        SetConfig(pci, 0, 0, 0, 0xDEAD_BEEF);
        Assert.Equal(0x1237_8086u, Config(pci, 0, 0, 0));
    }

    [Fact]
    public void ApmRaisesAnSmiOnlyWhenDevActBSaysSo()
    {
        PciBus pci = NewPci(out _, out PowerFunction power);
        int raised = 0;
        var apm = new ApmPorts(() => power.ApmRaisesSmi, () => raised++);
        apm.Write(0xB2, 1, 0x55);
        Assert.Equal(0, raised);
        SetConfig(pci, 1, 3, 0x58, Config(pci, 1, 3, 0x58) | (1u << 25));
        apm.Write(0xB3, 1, 7);
        apm.Write(0xB2, 1, 0x56);
        Assert.Equal((1, 0x56u, 7u), (raised, apm.Read(0xB2, 1), apm.Read(0xB3, 1)));
    }

    [Fact]
    public void SmramOpensClosesAndLocks()
    {
        PciBus pci = NewPci(out HostBridge bridge, out _);
        var seen = new List<(bool, bool)>();
        bridge.SmramChanged += (inSmm, outside) => seen.Add((inSmm, outside));
        SetSmram(0x48);
        SetSmram(0x08);
        SetSmram(0x68);             // D_CLS keeps the window closed
        SetSmram(0x58);             // D_LCK closes D_OPEN
        SetSmram(0x40);             // and freezes everything else
        Assert.Equal([(true, true), (true, false), (true, false), (true, false)], seen);
        Assert.Equal(0x1Au, (Config(pci, 0, 0, 0x70) >> 16) & 0xFF);

        void SetSmram(uint value) => SetConfig(pci, 0, 0, 0x70, (Config(pci, 0, 0, 0x70) & 0xFF00_FFFF) | (value << 16));
    }

    [Fact]
    public void Cf9ResetsAsAByteAndIsTheAddressAsADoubleword()
    {
        PciBus pci = NewPci(out _, out _);
        pci.Write(0xCF8, 4, 0x8000_0600);
        Assert.Null(_control.End);
        pci.Write(0xCF9, 1, 0x06);
        Assert.Equal(MachineEndKind.Reset, _control.End!.Kind);
    }

    private static uint Config(PciBus pci, int device, int function, int register)
    {
        pci.Write(0xCF8, 4, 0x8000_0000u | (uint)(device << 11) | (uint)(function << 8) | (uint)register);
        return pci.Read(0xCFC, 4);
    }

    private static void SetConfig(PciBus pci, int device, int function, int register, uint value)
    {
        _ = Config(pci, device, function, register);
        pci.Write(0xCFC, 4, value);
    }

    private PciBus NewPci(out HostBridge bridge, out PowerFunction power)
    {
        var pci = new PciBus(_control);
        bridge = new HostBridge();
        power = new PowerFunction(configured: true);
        pci.Add(0, 0, bridge);
        pci.Add(1, 0, new IsaBridge());
        pci.Add(1, 3, power);
        return pci;
    }

    private AcpiPm NewPm(ManualTime time, IrqLine line)
    {
        var pm = new AcpiPm(time, line, _control, new DeviceLock(), acpiMode: true);
        pm.MoveTo(0x600);
        return pm;
    }
}
