using Akvam.Abi;

namespace Akvam;

/// <content>Clock, capabilities, and the two addresses that only hardware needs.</content>
public sealed partial class Vm
{
    /// <summary>Above this, the arithmetic of clocks would lose precision; no processor comes near.</summary>
    private const uint MaxTscKhz = 100_000_000;

    /// <summary>KVM_MIN_ALLOC_MMU_PAGES.</summary>
    private const uint MinShadowPages = 64;

    /// <summary>KVM_MAX_IRQ_ROUTES.</summary>
    private const ulong MaxIoapicRoutes = 4096;

    /// <summary>KVM_CAP_MAX_VCPU_ID as it was enabled; 0: not.</summary>
    private uint _maxVcpuIds;
    private uint _shadowPages;
    private uint _defaultTscKhz;

    /// <summary>KVM_CAP_EXCEPTION_PAYLOAD is enabled: pending exceptions are told from those in delivery.</summary>
    internal bool ReportsExceptionPayload { get; private set; }

    /// <summary>KVM_CAP_X86_TRIPLE_FAULT_EVENT is enabled.</summary>
    internal bool ReportsTripleFault { get; private set; }

    /// <summary>KVM_CAP_EXIT_ON_EMULATION_FAILURE is enabled: what cannot be executed is an exit at any CPL.</summary>
    internal bool ExitsOnEmulationFailure { get; private set; }

    /// <summary>KVM_CAP_MSR_PLATFORM_INFO is not disabled.</summary>
    internal bool GuestReadsPlatformInfo { get; private set; } = true;

    /// <summary>Frequency of the TSC of vCPUs to come.</summary>
    internal uint DefaultTscKhz => _defaultTscKhz;

    /// <summary>All TSCs run alike, so kvmclock readings of different vCPUs can be compared.</summary>
    internal bool TscIsStable
    {
        get
        {
            ReadOnlySpan<Vcpu> vcpus = Vcpus;
            for (int i = 1; i < vcpus.Length; i++)
            {
                if (vcpus[i].Bus.TscKhz != vcpus[0].Bus.TscKhz || vcpus[i].TscOffset != vcpus[0].TscOffset)
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>KVM_GET_CLOCK. [KVM 4.29]</summary>
    public kvm_clock_data GetClock()
    {
        ThrowIfDisposed();
        return Clock.Get();
    }

    /// <summary>KVM_SET_CLOCK. [KVM 4.30]</summary>
    /// <exception cref="KvmException">EINVAL: unknown flags.</exception>
    public void SetClock(in kvm_clock_data data)
    {
        ThrowIfDisposed();
        Clock.Set(in data);
        foreach (Vcpu vcpu in Vcpus)
        {
            vcpu.PostClockUpdate();
        }
    }

    /// <summary>KVM_SET_TSC_KHZ on the VM: the frequency of vCPUs created afterwards; 0 means the default.</summary>
    /// <exception cref="KvmException">EINVAL: above the largest frequency, or there are vCPUs already.</exception>
    public void SetTscKhz(uint khz)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            if (_vcpus.Length != 0)
            {
                throw new KvmException(Errno.EINVAL, "there are vCPUs already");
            }

            _defaultTscKhz = CheckTscKhz(khz);
        }
    }

    public uint GetTscKhz()
    {
        ThrowIfDisposed();
        return _defaultTscKhz;
    }

    /// <summary>KVM_SET_TSS_ADDR: three pages that Intel hardware needs for real mode. Akvam does not; the address is checked and forgotten. [KVM 4.40]</summary>
    /// <exception cref="KvmException">EINVAL: not below 4 GiB.</exception>
    public void SetTssAddr(ulong address)
    {
        ThrowIfDisposed();
        if (address > uint.MaxValue - (3 * 4096) + 1)
        {
            throw new KvmException(Errno.EINVAL, $"TSS at {address:x}");
        }
    }

    /// <summary>KVM_SET_IDENTITY_MAP_ADDR: a page that Intel hardware needs for real mode. Akvam does not. [KVM 4.41]</summary>
    /// <exception cref="KvmException">EINVAL: there are vCPUs already.</exception>
    public void SetIdentityMapAddr(ulong address)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            if (_vcpus.Length != 0)
            {
                throw new KvmException(Errno.EINVAL, "there are vCPUs already");
            }
        }
    }

    /// <summary>KVM_SET_NR_MMU_PAGES: how many pages shadow page tables may take. Akvam has none; the number is checked and kept. [KVM 4.44]</summary>
    /// <exception cref="KvmException">EINVAL: below 64.</exception>
    public void SetNrMmuPages(uint pages)
    {
        ThrowIfDisposed();
        if (pages < MinShadowPages)
        {
            throw new KvmException(Errno.EINVAL, $"{pages} pages of page tables");
        }

        Volatile.Write(ref _shadowPages, pages);
    }

    /// <summary>KVM_GET_NR_MMU_PAGES. [KVM 4.45]</summary>
    public uint GetNrMmuPages()
    {
        ThrowIfDisposed();
        return Volatile.Read(ref _shadowPages);
    }

    /// <summary>0: not there; otherwise 1 or what the capability counts, for this VM. [KVM 4.4]</summary>
    /// <param name="capability">One of <see cref="KvmCap"/>.</param>
    public int CheckExtension(uint capability)
    {
        ThrowIfDisposed();
        return _kvm.CheckExtension(capability);
    }

    /// <summary>KVM_ENABLE_CAP. [KVM 4.37]</summary>
    /// <exception cref="KvmException">EINVAL: not a capability that can be enabled, or not with these arguments.</exception>
    public void EnableCap(in kvm_enable_cap cap)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            if (cap.flags != 0)
            {
                throw new KvmException(Errno.EINVAL, "flags of kvm_enable_cap");
            }

            ulong argument = cap.args[0];
            switch (cap.cap)
            {
                case KvmCap.KVM_CAP_EXCEPTION_PAYLOAD:
                    ReportsExceptionPayload = argument != 0;
                    break;
                case KvmCap.KVM_CAP_X86_TRIPLE_FAULT_EVENT:
                    ReportsTripleFault = argument != 0;
                    break;
                case KvmCap.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
                    EnableManualProtect(argument);
                    break;
                case KvmCap.KVM_CAP_SPLIT_IRQCHIP:
                    if (argument > MaxIoapicRoutes)
                    {
                        throw new KvmException(Errno.EINVAL, $"{argument} routes for the IOAPIC");
                    }

                    CreateSplitIrqchip((int)argument);
                    break;
                case KvmCap.KVM_CAP_X86_USER_SPACE_MSR:
                    SetMsrPolicy((_msrPolicy ?? Akvam.MsrPolicy.None).WithExits(argument));
                    break;
                case KvmCap.KVM_CAP_X2APIC_API:
                    EnableX2ApicApi(argument);
                    break;
                case KvmCap.KVM_CAP_DISABLE_QUIRKS2 when (argument & ~KnownQuirks) == 0:
                case KvmCap.KVM_CAP_DISABLE_QUIRKS:
                    DisableQuirks(argument);
                    break;
                case KvmCap.KVM_CAP_MSR_PLATFORM_INFO:
                    SetPlatformInfo(argument != 0);
                    break;
                case KvmCap.KVM_CAP_DIRTY_LOG_RING or KvmCap.KVM_CAP_DIRTY_LOG_RING_ACQ_REL:
                    EnableDirtyRing(argument);
                    break;
                case KvmCap.KVM_CAP_EXIT_ON_EMULATION_FAILURE when argument <= 1:
                    ExitsOnEmulationFailure = argument != 0;
                    break;
                case KvmCap.KVM_CAP_MAX_VCPU_ID:
                    LimitVcpuIds(argument);
                    break;
                default:
                    throw new KvmException(Errno.EINVAL, $"capability {cap.cap} cannot be enabled");
            }
        }
    }

    /// <exception cref="KvmException">EINVAL: above the largest frequency.</exception>
    internal uint CheckTscKhz(uint khz) => khz switch
    {
        0 => Clock.HostTscKhz,
        > MaxTscKhz => throw new KvmException(Errno.EINVAL, $"{khz} kHz"),
        _ => khz,
    };

    private void EnableManualProtect(ulong flags)
    {
        const ulong Known = KvmMemory.KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KvmMemory.KVM_DIRTY_LOG_INITIALLY_SET;
        if ((flags & ~Known) != 0 || flags == KvmMemory.KVM_DIRTY_LOG_INITIALLY_SET)
        {
            throw new KvmException(Errno.EINVAL, $"dirty log options {flags:x}");
        }

        _regions.ManualProtect = (flags & KvmMemory.KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE) != 0;
        _regions.InitiallySet = (flags & KvmMemory.KVM_DIRTY_LOG_INITIALLY_SET) != 0;
    }

    private void SetPlatformInfo(bool guestReads)
    {
        GuestReadsPlatformInfo = guestReads;
        foreach (Vcpu vcpu in _vcpus)
        {
            vcpu.Processor.Msrs.GuestReadsPlatformInfo = guestReads;
        }
    }

    /// <summary>[KVM 7.33] Once, and before there are vCPUs.</summary>
    private void LimitVcpuIds(ulong limit)
    {
        if (limit > MaxVcpuId || (_maxVcpuIds != 0 && _maxVcpuIds != limit) || _vcpus.Length != 0)
        {
            throw new KvmException(Errno.EINVAL, $"vCPU numbers below {limit}");
        }

        _maxVcpuIds = (uint)limit;
    }

    private void EnableX2ApicApi(ulong flags)
    {
        if ((flags & ~(KvmIrq.KVM_X2APIC_API_USE_32BIT_IDS | KvmIrq.KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)) != 0 || ApicBus is not { } bus)
        {
            throw new KvmException(Errno.EINVAL, "options of the x2APIC API, which come after the irqchip");
        }

        bus.Use32BitIds |= (flags & KvmIrq.KVM_X2APIC_API_USE_32BIT_IDS) != 0;
        bus.DisableBroadcastQuirk |= (flags & KvmIrq.KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK) != 0;
    }
}
