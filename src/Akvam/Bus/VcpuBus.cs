using System.Buffers.Binary;
using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.State;
using Akvam.Devices;

namespace Akvam;

/// <summary>How one processor meets its VM: interrupt controllers, ports and addresses served inside, time and randomness.</summary>
/// <remarks>Valid because the processor's thread is the only one that uses it, but for <see cref="ILapicHost"/> and <see cref="ITscSource"/>, which look before they touch state.</remarks>
internal sealed unsafe partial class VcpuBus : IProcessorBus, ILapicHost, ITscSource, IDisposable
{
    private readonly Vm _vm;
    private readonly Vcpu _vcpu;
    private Processor _processor = null!;
    private byte _taskPriority;
    private ulong _apicBase;

    public VcpuBus(Vm vm, Vcpu vcpu)
    {
        _vm = vm;
        _vcpu = vcpu;
        _tsc = new GuestTsc(vm.Clock, vm.DefaultTscKhz);
        _apicBase = Lapic.DefaultBase | Lapic.BaseEnable | (IsBoot ? Lapic.BaseBootstrap : 0);
    }

    /// <summary>The local APIC, where it is ours.</summary>
    public Lapic? Lapic { get; private set; }

    /// <summary>IA32_APIC_BASE; kept here when the APIC is the client's.</summary>
    public ulong ApicBase => Lapic?.Base ?? _apicBase;

    public bool HandlesHalt => Lapic is not null;

    /// <summary>The client wants KVM_EXIT_IRQ_WINDOW_OPEN: an interrupt that, when it is taken, turns into that exit.</summary>
    public bool WindowRequested { get; set; }

    private bool IsBoot => _vcpu.Id == _vm.BootVcpuId;

    /// <summary>Called once, before anybody else has the bus.</summary>
    public void Attach(Processor processor)
    {
        _processor = processor;
        if (_vm.ApicBus is { } bus)
        {
            Lapic = new Lapic(_vcpu.Id, IsBoot, bus, this, _vm.Clock.Source, this, _vm.Timers, LapicOptions.Default with { Lint0ExtIntAtReset = _vm.HasQuirk(KvmTuning.KVM_X86_QUIRK_LINT0_REENABLED) });
        }
    }

    public void Dispose() => Lapic?.Dispose();

    /// <exception cref="KvmException">EINVAL.</exception>
    public void SetApicBase(ulong value)
    {
        if (Lapic is null)
        {
            _apicBase = value;
        }
        else if (!Lapic.TrySetBase(value, fromHost: true))
        {
            throw new KvmException(Errno.EINVAL, $"APIC base {value:x}");
        }
    }

    public bool ReadMmio(ulong address, Span<byte> data)
    {
        if (Lapic is { } lapic && lapic.Contains(address))
        {
            SettleMemory();
            lapic.ReadMmio((int)(address & 0xFFF), data);
            return true;
        }

        if (IsLapicHole(address))
        {
            data.Fill(0xFF);
            return true;
        }

        return _vm.Irqchip is { } chip && chip.TryReadMmio(address, data);
    }

    public bool WriteMmio(ulong address, ReadOnlySpan<byte> data)
    {
        if (Lapic is { } lapic && lapic.Contains(address))
        {
            SettleMemory();
            lapic.WriteMmio((int)(address & 0xFFF), data);
            ShowPriority();
            return true;
        }

        if (IsLapicHole(address))
        {
            return true;
        }

        return (_vm.Irqchip is { } chip && chip.TryWriteMmio(address, data)) || _vm.IoEvents.WriteMmio(address, data) || _vm.Coalesced.Write(port: false, address, data);
    }

    /// <summary>The page of a local APIC that does not answer there: it is off, or in x2APIC mode. [KVM 7.31 KVM_X86_QUIRK_LAPIC_MMIO_HOLE]</summary>
    private bool IsLapicHole(ulong address) =>
        Lapic is { } lapic && (address & ~0xFFFul) == (lapic.Base & ~0xFFFul) && _vm.HasQuirk(KvmTuning.KVM_X86_QUIRK_LAPIC_MMIO_HOLE);

    public bool ReadPort(ushort port, int size, out uint value)
    {
        if (_vm.Irqchip is { } chip && chip.OwnsPort(port))
        {
            value = ReadChip(chip, port, size);
            return true;
        }

        if (_vm.PortHandler is { } handler)
        {
            return handler.TryRead(_vcpu, port, size, out value);
        }

        value = 0;
        return false;
    }

    public bool WritePort(ushort port, int size, uint value)
    {
        bool isChips = _vm.Irqchip is { } chip && chip.OwnsPort(port);
        return ((isChips || WatchesPort(port)) && WriteInside(port, size, value))
            || (_vm.PortHandler is { } handler && handler.TryWrite(_vcpu, port, size, value));
    }

    private static uint ReadChip(Irqchip chip, ushort port, int size)
    {
        Span<byte> data = stackalloc byte[4];
        data.Clear();
        chip.TryReadPort(port, data[..size]);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    /// <summary>Bytes are made only of what needs them: they cost more than all the rest of a write.</summary>
    private bool WriteInside(ushort port, int size, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        ReadOnlySpan<byte> data = bytes[..size];
        return (_vm.Irqchip is { } chip && chip.TryWritePort(port, data)) || _vm.IoEvents.WritePort(port, data) || _vm.Coalesced.Write(port: true, port, data);
    }

    public bool WatchesPort(ushort port) => _vm.IoEvents.HasPorts || _vm.Coalesced.HasZones;

    /// <summary>KVM_GUESTDBG_BLOCKIRQ: the debugger steps without interrupts.</summary>
    public bool BlocksInterrupts { get; set; }

    public bool HasInterrupt => !BlocksInterrupts && (WindowRequested || HasControllerInterrupt);

    private bool HasControllerInterrupt
    {
        get
        {
            if (Lapic is not { } lapic)
            {
                return false;
            }

            if (lapic.HasRequests)
            {
                SettleMemory();
                ShowPriority();
            }

            return _vcpu.HasUserExtInt || (_vm.Irqchip?.HasInterrupt(lapic) ?? lapic.HasInterrupt);
        }
    }

    public int AcknowledgeInterrupt()
    {
        if (Lapic is { } lapic && HasControllerInterrupt)
        {
            _vcpu.CountInterrupt();

            // Its bit is about the last interrupt of the APIC, which may have ended before one of the 8259 is taken.
            SettleMemory();
            if (_vcpu.TakeUserExtInt(out byte external))
            {
                return external;
            }

            int vector = _vm.Irqchip?.AcknowledgeInterrupt(lapic) ?? lapic.AcknowledgeInterrupt();
            OfferQuickEoi(lapic);
            ShowPriority();
            return vector;
        }

        if (WindowRequested)
        {
            WindowRequested = false;
            _vcpu.WindowOpened();
        }

        return -1;
    }

    public byte TaskPriority
    {
        get => Lapic?.Cr8 ?? _taskPriority;
        set
        {
            if (Lapic is { } lapic)
            {
                lapic.Cr8 = value;
                ShowPriority();
                return;
            }

            byte old = _taskPriority;
            _taskPriority = value;
            if (value < old)
            {
                _vcpu.TaskPriorityLowered();
            }
        }
    }

    /// <summary>CR8 as the client gives it, without an exit.</summary>
    public void SetTaskPriorityQuietly(byte value)
    {
        if (Lapic is { } lapic)
        {
            lapic.Cr8 = value;
        }
        else
        {
            _taskPriority = value;
        }
    }

    /// <summary>INIT ends what the guest asked its hypervisor for as well: its next kernel has other things where it wanted them.</summary>
    public void Initialized()
    {
        Lapic?.InitReset();
        _quickEoiOffered = false;
        _quickEoiMsr = _asyncFaultsMsr = _asyncFaultsVector = _stealTimeMsr = _systemTimeMsr = 0;
    }

    public ulong NextRandom() => _vm.Random.Next();

    void ILapicHost.InterruptPending() => _vcpu.Post(Request.Interrupt);

    void ILapicHost.ExtInt() => _vcpu.Post(Request.Interrupt);

    void ILapicHost.Nmi() => _vcpu.PostNmi();

    void ILapicHost.Smi() => _vcpu.PostSmi();

    void ILapicHost.Init() => _vcpu.PostInit();

    void ILapicHost.Sipi(byte vector) => _vcpu.PostSipi(vector);
}
