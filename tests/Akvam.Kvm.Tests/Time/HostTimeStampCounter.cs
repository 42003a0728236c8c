using Akvam.Abi;
using Akvam.Devices;

namespace Akvam.KvmTests.Time;

/// <summary>The guest's TSC is the host's, scaled where the client asked for another frequency, plus an offset that it can read and set. [KVM vcpu.rst 4.1] [KVM 4.29]</summary>
public sealed class HostTimeStampCounter
{
    private const uint HostKhz = 2_096_009;

    // rdtsc; out 1, eax; jmp start
    private static ReadOnlySpan<byte> Reader => [0x0F, 0x31, 0x66, 0xE7, 0x01, 0xEB, 0xF9];

    [Theory]
    [InlineData(0ul)]
    [InlineData(180_000_000_000ul)]
    [InlineData(unchecked((ulong)-180_000_000_000))]
    public void TheGuestReadsTheHostsAndTheOffset(ulong offset)
    {
        var host = new ManualCounter(HostKhz);
        using Guest guest = Start(host);
        Assert.Equal(HostKhz, guest.Vm.GetTscKhz());
        Assert.Equal(HostKhz, guest.Vcpu.GetTscKhz());
        host.Now += 12_345;
        SetOffset(guest, offset);
        Assert.Equal(host.Now + offset, Tsc(guest));
        Assert.Equal((uint)(host.Now + offset), guest.Vcpu.Run().Io.Value);
        host.Now += 1;
        Assert.Equal((uint)(host.Now + offset), guest.Vcpu.Run().Io.Value);
        Assert.Equal(offset, Offset(guest));
    }

    [Fact]
    public void ItIsZeroWhenTheVmIsMade()
    {
        var host = new ManualCounter(HostKhz);
        ulong made = host.Now;
        using Guest guest = Start(host);
        host.Now += 777;
        Assert.Equal(777ul, Tsc(guest));
        Assert.Equal(0 - made, Offset(guest));
    }

    /// <summary>Half and three times the host's frequency; the offset is in the guest's ticks.</summary>
    [Theory]
    [InlineData(HostKhz / 2)]
    [InlineData(HostKhz * 3)]
    [InlineData(1_000_000u)]
    public void AnotherFrequencyScalesIt(uint khz)
    {
        var host = new ManualCounter(HostKhz);
        using Guest guest = Start(host);
        guest.Vcpu.SetTscKhz(khz);
        SetOffset(guest, 55);
        ulong first = Tsc(guest);
        host.Now += 2_000 * HostKhz;
        Assert.InRange(Tsc(guest) - first, (2_000ul * khz) - 1, (2_000ul * khz) + 1);
        Assert.Equal(55ul, Offset(guest));
        Assert.InRange(Tsc(guest) - 55, (ulong)((UInt128)host.Now * khz / HostKhz), (ulong)((UInt128)host.Now * khz / HostKhz) + 16);
        Assert.Equal(khz, guest.Vcpu.GetTscKhz());
        guest.Vcpu.SetTscKhz(0);
        Assert.Equal(HostKhz, guest.Vcpu.GetTscKhz());
    }

    /// <summary>KVM_GET_CLOCK tells the host's TSC and kvmclock of the same moment, and the guest's page agrees with both.</summary>
    [Fact]
    public void TheClockIsMadeOfIt()
    {
        var host = new ManualCounter(HostKhz);
        using Guest guest = Start(host);
        host.Now += 10_000ul * HostKhz;
        kvm_clock_data first = guest.Vm.GetClock();
        Assert.Equal(host.Now, first.host_tsc);
        Assert.Equal(10_000_000_000ul, first.clock);
        guest.Vm.SetClock(new kvm_clock_data { clock = 5 });
        Assert.Equal(1, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = KvmPara.MSR_KVM_SYSTEM_TIME_NEW, data = 0x3001 }]));
        byte[] page = guest.Read(0x3000, 32);
        Assert.Equal(Tsc(guest), BitConverter.ToUInt64(page, 8));
        Assert.Equal(5ul, BitConverter.ToUInt64(page, 16));
    }

    /// <summary>The guest waits for a TSC value, the timer for nanoseconds: the interrupt comes at the first tick at which the guest may expect it, and not before.</summary>
    [Theory]
    [InlineData(HostKhz)]
    [InlineData(2_500_000u)]
    public void ADeadlineIsReachedAtItsTick(uint khz)
    {
        const int divideByOne = 0xB, deadlineMode = 2 << 17, timerVector = 0x20;
        var host = new ManualCounter(HostKhz);
        var timers = new ManualTimers();
        using var guest = new Guest([0xF4], irqchip: true, options: new VmOptions { Clock = new CounterClock(host), Timers = timers });
        guest.Vcpu.SetTscKhz(khz);
        kvm_lapic_state lapic = guest.Vcpu.GetLapic();
        Set(ref lapic, 0xF0, 0x1FF);
        Set(ref lapic, 0x3E0, divideByOne);
        Set(ref lapic, 0x320, deadlineMode | timerVector);
        guest.Vcpu.SetLapic(lapic);
        ulong deadline = Tsc(guest) + (3ul * khz);
        Assert.Equal(1, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = 0x6E0, data = deadline }]));

        ulong ns = timers.Deadline!.Value;
        var clock = new CounterClock(new ManualCounter(HostKhz) { Now = host.Now });
        Assert.InRange(ns - clock.NowNs, 3_000_000ul, 3_000_002ul);

        // The host's timer is early: nothing happens but that it is set again.
        host.Now += (3ul * HostKhz) - 2_000;
        timers.Fire();
        Assert.NotNull(timers.Deadline);
        Assert.False(IsRequested(guest, timerVector));
        host.Now += 2_002;
        timers.Fire();
        Assert.Null(timers.Deadline);
        Assert.True(IsRequested(guest, timerVector));
    }

    private static void Set(ref kvm_lapic_state lapic, int register, int value) => BitConverter.TryWriteBytes(((Span<byte>)lapic.regs)[register..], value);

    private static bool IsRequested(Guest guest, int vector)
    {
        kvm_lapic_state lapic = guest.Vcpu.GetLapic();
        return (BitConverter.ToUInt32(((Span<byte>)lapic.regs)[(0x200 + (vector / 32 * 0x10))..]) & (1u << (vector % 32))) != 0;
    }

    private static Guest Start(ManualCounter host) => new(Reader, options: new VmOptions { Clock = new CounterClock(host) });

    private static ulong Offset(Guest guest) => guest.Vcpu.GetDeviceAttr(KvmState.KVM_VCPU_TSC_CTRL, KvmState.KVM_VCPU_TSC_OFFSET);

    private static void SetOffset(Guest guest, ulong offset) => guest.Vcpu.SetDeviceAttr(KvmState.KVM_VCPU_TSC_CTRL, KvmState.KVM_VCPU_TSC_OFFSET, offset);

    private static ulong Tsc(Guest guest)
    {
        var entries = new kvm_msr_entry[] { new() { index = 0x10 } };
        Assert.Equal(1, guest.Vcpu.GetMsrs(entries));
        return entries[0].data;
    }
}
