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

    /// <summary>Clients write the TSCs one after the other; values that were meant to be the same stay so, and a new vCPU joins.</summary>
    [Fact]
    public void ProcessorsThatAreSetAlikeAgree()
    {
        var clock = new ManualClock();
        using var guest = new Guest(Reader, options: new VmOptions { Clock = clock });
        using Vcpu other = guest.Vm.CreateVcpu(1);
        guest.Vcpu.SetMsrs([new kvm_msr_entry { index = 0x10, data = 1ul << 40 }]);
        clock.NowNs += 3_000_000;
        other.SetMsrs([new kvm_msr_entry { index = 0x10, data = 1ul << 40 }]);
        using Vcpu late = guest.Vm.CreateVcpu(2);
        Guest.StartReal(other, Guest.CodeAddress);
        Guest.StartReal(late, Guest.CodeAddress);
        uint expected = guest.Vcpu.Run().Io.Value;
        Assert.Equal(3_000_000u, expected);
        Assert.Equal(expected, other.Run().Io.Value);
        Assert.Equal(expected, late.Run().Io.Value);

        // A second and more apart is another time.
        other.SetMsrs([new kvm_msr_entry { index = 0x10, data = 5 }]);
        Assert.Equal(5u, other.Run().Io.Value);
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
