using Akvam.Abi;

namespace Akvam;

/// <content>The TSC, and the paravirtual clock derived from it.</content>
internal sealed unsafe partial class VcpuBus
{
    private GuestTsc _tsc;
    private ulong _systemTimeMsr;
    private ulong _wallClockMsr;
    private bool _guestStopped;

    /// <summary>Frequency of this processor's TSC.</summary>
    public uint TscKhz
    {
        get => _tsc.Khz;
        set
        {
            Volatile.Write(ref _tsc, new GuestTsc(_vm.Clock, value));
            TscChanged();
        }
    }

    /// <summary>Frequency or offset changed: deadlines and the paravirtual clock are measured again.</summary>
    public void TscChanged()
    {
        Lapic?.TscChanged();
        _vcpu.PostClockUpdate();
    }

    /// <summary>All TSCs of a VM count from its creation on.</summary>
    public ulong ReadTsc() => _tsc.At(_vm.Clock.HostTsc);

    /// <summary>The host's TSC, in ticks of this processor's, at which they do.</summary>
    public ulong OriginTsc => _tsc.Origin;

    ulong Devices.ITscSource.ReadTsc() => ReadTsc() + _vcpu.TscOffset;

    public ulong DeadlineToNs(ulong tsc)
    {
        GuestTsc own = Volatile.Read(ref _tsc);
        ulong host = _vm.Clock.HostTsc, now = _vm.Clock.ToNs(host);
        long ticks = (long)(tsc - own.At(host) - _vcpu.TscOffset);
        if (ticks <= 0)
        {
            return now;
        }

        ulong ns = own.ToNs((ulong)ticks);
        return ns > ulong.MaxValue - now ? ulong.MaxValue : now + ns;
    }

    /// <summary>VMware's counters, where its backdoor is: the host's TSC, nanoseconds of the host, and of the guest. All guest programs may read them.</summary>
    public bool ReadCounter(uint index, out ulong value)
    {
        const uint hostTsc = 0x10000, realTime = 0x10001, apparentTime = 0x10002;
        value = 0;
        if (!_vm.Options.VmwareBackdoor || index is < hostTsc or > apparentTime)
        {
            return false;
        }

        value = index switch
        {
            hostTsc => _vm.Clock.HostTsc,
            realTime => _vm.Clock.Source.NowNs,
            _ => _vm.Clock.NowNs,
        };
        return true;
    }

    /// <summary>KVM_KVMCLOCK_CTRL: the guest is told once that it was stopped. False: it does not use the clock.</summary>
    public bool NoteGuestStopped()
    {
        if ((_systemTimeMsr & KvmPara.KVM_MSR_ENABLED) == 0)
        {
            return false;
        }

        _guestStopped = true;
        UpdateClock();
        return true;
    }

    /// <summary>
    /// Writes the guest's clock page. A reader sees an odd version while it changes, and reads again. Every vCPU gets the same pair of TSC and time, so the
    /// clocks agree to the nanosecond and the guest may compare them. [KVM msr.rst MSR_KVM_SYSTEM_TIME_NEW]
    /// </summary>
    public void UpdateClock()
    {
        if ((_systemTimeMsr & KvmPara.KVM_MSR_ENABLED) == 0)
        {
            return;
        }

        ulong gpa = _systemTimeMsr & ~KvmPara.KVM_MSR_ENABLED;
        (ulong tsc, ulong systemNs) = _vm.Clock.Reference();
        pvclock_vcpu_time_info info = default;
        var bytes = new Span<byte>(&info, sizeof(pvclock_vcpu_time_info));
        if (!_vm.Memory.Read(0, gpa, bytes))
        {
            return;
        }

        uint version = (info.version | 1) + (info.version & 1) * 2;
        info = PvClock.Info(version, _tsc.At(tsc) + _vcpu.TscOffset, systemNs, _tsc.Khz, stable: _vm.TscIsStable);
        info.flags |= _guestStopped ? KvmPara.PVCLOCK_GUEST_STOPPED : (byte)0;
        _guestStopped = false;
        Span<byte> first = bytes[..sizeof(uint)];
        _vm.Memory.Write(0, gpa, first);
        Interlocked.MemoryBarrier();
        _vm.Memory.Write(0, gpa + sizeof(uint), bytes[sizeof(uint)..]);
        Interlocked.MemoryBarrier();
        info.version = version + 1;
        _vm.Memory.Write(0, gpa, first);
    }

    /// <summary>Writes the wall-clock time of kvmclock's zero to the guest, once for each write to the MSR. [KVM msr.rst MSR_KVM_WALL_CLOCK_NEW]</summary>
    private void WriteWallClock(ulong gpa)
    {
        _wallClockMsr = gpa;
        pvclock_wall_clock wall = default;
        var bytes = new Span<byte>(&wall, sizeof(pvclock_wall_clock));
        if (gpa == 0 || !_vm.Memory.Read(0, gpa, bytes))
        {
            return;
        }

        uint version = (wall.version | 1) + (wall.version & 1) * 2;
        ulong boot = _vm.Clock.BootWallNs;
        wall = new pvclock_wall_clock { version = version, sec = (uint)(boot / 1_000_000_000), nsec = (uint)(boot % 1_000_000_000) };
        Span<byte> first = bytes[..sizeof(uint)];
        _vm.Memory.Write(0, gpa, first);
        Interlocked.MemoryBarrier();
        _vm.Memory.Write(0, gpa + sizeof(uint), bytes[sizeof(uint)..]);
        Interlocked.MemoryBarrier();
        wall.version = version + 1;
        _vm.Memory.Write(0, gpa, first);
    }
}
