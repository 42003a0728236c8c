using Akvam.Abi;

namespace Akvam.KvmTests.Time;

public sealed class TimeStampCounter
{
    // rdtsc; out 1, eax; jmp start
    private static ReadOnlySpan<byte> Reader => [0x0F, 0x31, 0x66, 0xE7, 0x01, 0xEB, 0xF9];

    [Fact]
    public void ItCountsAtItsFrequency()
    {
        var clock = new ManualClock();
        using var guest = new Guest(Reader, options: new VmOptions { Clock = clock });
        guest.Vcpu.SetTscKhz(2_000_000);
        Assert.Equal(2_000_000u, guest.Vcpu.GetTscKhz());
        uint first = guest.Vcpu.Run().Io.Value;
        clock.NowNs += 1_000;
        Assert.Equal(first + 2_000, guest.Vcpu.Run().Io.Value);
    }

    [Fact]
    public void AWrittenTscGoesOnFromThere()
    {
        var clock = new ManualClock();
        using var guest = new Guest(Reader, options: new VmOptions { Clock = clock });
        guest.Vcpu.SetMsrs([new kvm_msr_entry { index = 0x10, data = 5_000_000 }]);
        clock.NowNs += 10;
        Assert.Equal(5_000_010u, guest.Vcpu.Run().Io.Value);
    }

    [Fact]
    public void TwoProcessorsAgree()
    {
        var clock = new ManualClock();
        using var guest = new Guest(Reader, options: new VmOptions { Clock = clock });
        clock.NowNs += 500;
        using Vcpu other = guest.Vm.CreateVcpu(1);
        Guest.StartReal(other, Guest.CodeAddress);
        Assert.Equal(guest.Vcpu.Run().Io.Value, other.Run().Io.Value);
    }
}
