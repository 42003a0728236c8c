using System.Diagnostics;

namespace Akvam.Devices;

/// <summary>
/// The local APIC of one vCPU, as xAPIC page and as x2APIC MSRs [SDM3 10].
/// </summary>
/// <remarks>
/// The vCPU's thread reads and writes registers, acknowledges, resets, exports and imports. Any thread may deliver to it
/// (<see cref="ApicBus"/>, <see cref="DeliverLvt"/>, <see cref="SetLint"/>) or ask <see cref="HasInterrupt"/>. What both sides change is
/// one bit of a 32-bit register at a time and goes through Interlocked; there is no lock but the timer's.
/// </remarks>
public sealed partial class Lapic : IDisposable
{
    public const ulong DefaultBase = 0xFEE0_0000;
    public const int PageSize = 0x1000;

    internal const uint SvrEnabled = 1 << 8;
    internal const uint SvrSuppressBroadcast = 1 << 12;
    private const uint VersionValue = 0x14;
    private const uint VersionDirectedEoi = 1 << 24;

    private readonly uint[] _regs = new uint[0x40];
    private readonly ApicBus _bus;
    private readonly ILapicHost _host;
    private readonly LapicOptions _options;
    private readonly LapicTimer _timer;

    private ulong _base;
    private bool _cmci;

    /// <summary>Makes the APIC in its power-up state and connects it to the bus.</summary>
    /// <param name="initialId">The x2APIC id; its low 8 bits are the xAPIC id after reset.</param>
    /// <param name="bootstrap">This is the boot processor.</param>
    /// <param name="bus">Where its messages go and where it is found.</param>
    /// <param name="host">The processor it belongs to.</param>
    /// <param name="clock">Time base of the timer.</param>
    /// <param name="tsc">The processor's time-stamp counter.</param>
    /// <param name="timers">Makes the one timer it needs.</param>
    /// <param name="options">Null for <see cref="LapicOptions.Default"/>.</param>
    public Lapic(
        uint initialId,
        bool bootstrap,
        ApicBus bus,
        ILapicHost host,
        IClock clock,
        ITscSource tsc,
        ITimerHost timers,
        LapicOptions? options = null)
    {
        InitialId = initialId;
        IsBootstrap = bootstrap;
        _bus = bus;
        _host = host;
        _options = options ?? LapicOptions.Default;
        _timer = new LapicTimer(this, clock, tsc, timers, _options);
        Reset();
        bus.Add(this);
    }

    /// <summary>The processor's x2APIC id, which software cannot change.</summary>
    public uint InitialId { get; }

    /// <summary>This processor boots; sets the BSP bit of the base MSR at reset.</summary>
    public bool IsBootstrap { get; }

    /// <summary>CPUID offers x2APIC; set when CPUID is.</summary>
    public bool X2ApicAvailable { get; set; } = true;

    /// <summary>CPUID offers the TSC-deadline mode; set when CPUID is.</summary>
    public bool TscDeadlineAvailable { get; set; } = true;

    /// <summary>MAXPHYADDR; base addresses beyond it are refused.</summary>
    public int PhysicalAddressBits { get; set; } = 52;

    /// <summary>IA32_MCG_CAP offers CMCI, and the local vector table has an entry for it; set when machine checks are (KVM_X86_SETUP_MCE).</summary>
    public bool CmciAvailable
    {
        get => _cmci;
        set
        {
            _cmci = value;
            Set(LapicRegister.LvtCmci, value ? LvtBits.Masked : 0);
            Set(LapicRegister.Version, VersionRegister);
        }
    }

    /// <summary>The number of LVT entries: six, or seven with CMCI.</summary>
    public int LvtCount => _cmci ? 7 : 6;

    internal ILapicHost Host => _host;

    private bool IsSoftwareEnabled => (Get(LapicRegister.Svr) & SvrEnabled) != 0;

    /// <summary>Power-up reset [SDM3 10.4.7.1].</summary>
    public void Reset()
    {
        Volatile.Write(ref _base, DefaultBase | BaseEnable | (IsBootstrap ? BaseBootstrap : 0));
        Set(LapicRegister.Id, InitialId << 24);
        ResetRegisters();
    }

    /// <summary>INIT reset: the id and the base MSR, and with it the mode, stay [SDM3 10.4.7.3].</summary>
    public void InitReset() => ResetRegisters();

    /// <summary>Leaves the bus and drops the timer.</summary>
    public void Dispose()
    {
        _bus.Remove(this);
        _timer.Dispose();
    }

    private void ResetRegisters()
    {
        _timer.Reset();
        uint id = Get(LapicRegister.Id);
        Array.Clear(_regs);
        Set(LapicRegister.Id, id);
        Set(LapicRegister.Version, VersionRegister);
        for (int i = 0; i < LvtCount; i++)
        {
            Set(LvtOffset(i), LvtBits.Masked);
        }

        if (IsBootstrap && _options.Lint0ExtIntAtReset)
        {
            Set(LapicRegister.LvtLint0, (uint)DeliveryMode.ExtInt << 8);
        }

        Set(LapicRegister.Dfr, uint.MaxValue);
        Set(LapicRegister.Svr, 0xFF);
        Set(LapicRegister.Ldr, IsX2Apic ? X2ApicLdr(InitialId) : 0);
        Volatile.Write(ref _errors, 0);
        _errorSignalled = false;
        _lintLevels = 0;
        Volatile.Write(ref _extIntMessage, false);
        Volatile.Write(ref _irrMaybe, false);
        UpdatePriority();
    }

    private uint VersionRegister =>
        VersionValue | ((uint)(LvtCount - 1) << 16) | (_options.DirectedEoi ? VersionDirectedEoi : 0);

    /// <summary>Register offset of the n-th LVT entry, CMCI last.</summary>
    private static int LvtOffset(int index) => index < 6 ? LapicRegister.LvtTimer + (index << 4) : LapicRegister.LvtCmci;

    private uint Get(int register)
    {
        Debug.Assert((register & 0xF) == 0);
        return Volatile.Read(ref _regs[register >> 4]);
    }

    private void Set(int register, uint value) => Volatile.Write(ref _regs[register >> 4], value);
}
