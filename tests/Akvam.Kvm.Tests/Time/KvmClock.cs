using System.Buffers.Binary;
using Akvam.Abi;

namespace Akvam.KvmTests.Time;

/// <summary>The paravirtual clock. [KVM msr.rst] [KVM 4.29]</summary>
public sealed class KvmClock
{
    private const ulong Page = 0x3000;
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void ThePageTurnsTscTicksIntoTheTimeOfTheVm()
    {
        var clock = new ManualClock();
        using var guest = new Guest([0xF4], options: Options(clock));
        clock.NowNs += 5_000;
        Enable(guest);
        byte[] page = guest.Read(Page, 32);
        Assert.Equal(0u, BitConverter.ToUInt32(page, 0) & 1);
        Assert.Equal(KvmPara.PVCLOCK_TSC_STABLE_BIT, page[29]);

        clock.NowNs += 1_234_567;
        Assert.Equal(guest.Vm.GetClock().clock, ReadClock(guest));
        Assert.Equal(1_239_567ul, ReadClock(guest));
    }

    [Theory]
    [InlineData(1_000_000u)]
    [InlineData(2_345_678u)]
    [InlineData(100_000u)]
    [InlineData(4_000_000u)]
    public void AnyFrequencyGivesTheSameTime(uint khz)
    {
        var clock = new ManualClock();
        using var guest = new Guest([0xF4], options: Options(clock));
        guest.Vcpu.SetTscKhz(khz);
        Enable(guest);
        clock.NowNs += 3_600_000_000_000;
        ulong error = 3_600_000_000_000 - ReadClock(guest);
        Assert.True(error < 10_000, $"{error} ns off after an hour");
    }

    [Fact]
    public void SettingTheClockReachesTheGuestBeforeItGoesOn()
    {
        var clock = new ManualClock();
        using var guest = new Guest([0xF4], options: Options(clock));
        Enable(guest);
        uint version = BitConverter.ToUInt32(guest.Read(Page, 4));
        guest.Vm.SetClock(new kvm_clock_data { clock = 1_000_000_000_000 });
        guest.Vcpu.Run();
        clock.NowNs += 77;
        Assert.Equal(1_000_000_000_077ul, ReadClock(guest));
        Assert.NotEqual(version, BitConverter.ToUInt32(guest.Read(Page, 4)));
    }

    [Fact]
    public void RealtimeAddsTheTimeOfAMigration()
    {
        var clock = new ManualClock();
        using var guest = new Guest([0xF4], options: Options(clock));
        ulong wall = (ulong)Now.ToUnixTimeMilliseconds() * 1_000_000;
        guest.Vm.SetClock(new kvm_clock_data { clock = 500, flags = KvmState.KVM_CLOCK_REALTIME, realtime = wall - 2_000 });
        Assert.Equal(2_500ul, guest.Vm.GetClock().clock);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vm.SetClock(new kvm_clock_data { flags = 1u << 30 })).Errno);
    }

    [Fact]
    public void TheWallClockIsTheTimeOfItsZero()
    {
        var clock = new ManualClock();
        using var guest = new Guest([0xF4], options: Options(clock));
        clock.NowNs += 2_000_000_000;
        Assert.Equal(1, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = KvmPara.MSR_KVM_WALL_CLOCK_NEW, data = Page }]));
        byte[] page = guest.Read(Page, 12);
        Assert.Equal(0u, BitConverter.ToUInt32(page, 0) & 1);
        Assert.Equal((uint)Now.ToUnixTimeSeconds() - 2, BitConverter.ToUInt32(page, 4));
    }

    [Fact]
    public void AStoppedGuestIsToldOnce()
    {
        var clock = new ManualClock();
        using var guest = new Guest([0xF4], options: Options(clock));
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(guest.Vcpu.KvmclockCtrl).Errno);
        Enable(guest);
        guest.Vcpu.KvmclockCtrl();
        Assert.Equal(KvmPara.PVCLOCK_GUEST_STOPPED, guest.Read(Page, 32)[29] & KvmPara.PVCLOCK_GUEST_STOPPED);
    }

    private static VmOptions Options(ManualClock clock) => new() { Clock = clock, WallClock = new FixedWallClock(Now) };

    private static void Enable(Guest guest) => Assert.Equal(1, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = KvmPara.MSR_KVM_SYSTEM_TIME_NEW, data = Page | 1 }]));

    /// <summary>What a guest computes from its page and its TSC.</summary>
    private static ulong ReadClock(Guest guest)
    {
        byte[] page = guest.Read(Page, 32);
        kvm_msr_entry[] tsc = [new() { index = 0x10 }];
        guest.Vcpu.GetMsrs(tsc);
        ulong delta = tsc[0].data - BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(8));
        sbyte shift = (sbyte)page[28];
        delta = shift < 0 ? delta >> -shift : delta << shift;
        return BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(16)) + (ulong)(((UInt128)delta * BinaryPrimitives.ReadUInt32LittleEndian(page.AsSpan(24))) >> 32);
    }
}
