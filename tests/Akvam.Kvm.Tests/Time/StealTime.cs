using Akvam.Abi;

namespace Akvam.KvmTests.Time;

/// <summary>[KVM msr.rst MSR_KVM_STEAL_TIME]</summary>
public sealed class StealTime
{
    private const ulong Page = 0x2000;

    [Fact]
    public void TheGuestIsToldWhatItsThreadWaited()
    {
        var clock = new ManualClock();
        var waits = new RecordedWaits { Now = 1_000 };

        // hlt; jmp to it
        using var guest = new Guest([0xF4, 0xEB, 0xFD], options: new VmOptions { Clock = clock, StealTime = waits });
        Assert.Equal(0, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = KvmPara.MSR_KVM_STEAL_TIME, data = Page | KvmPara.KVM_STEAL_RESERVED_MASK }]));
        Assert.Equal(1, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = KvmPara.MSR_KVM_STEAL_TIME, data = Page | KvmPara.KVM_MSR_ENABLED }]));

        guest.Vcpu.Run();
        (ulong steal, uint version) = Read(guest);
        Assert.Equal(0ul, steal);
        Assert.Equal(0u, version & 1);

        // The shortest wait that the kernel's own test looks for.
        waits.Now += 200_000;
        clock.NowNs += 200_000;
        guest.Vcpu.Run();
        (steal, uint next) = Read(guest);
        Assert.Equal(200_000ul, steal);
        Assert.True(next > version && (next & 1) == 0);
    }

    private static (ulong Steal, uint Version) Read(Guest guest)
    {
        byte[] bytes = guest.Read(Page, 16);
        return (BitConverter.ToUInt64(bytes), BitConverter.ToUInt32(bytes, 8));
    }

    private sealed class RecordedWaits : IStealTimeSource
    {
        public ulong Now { get; set; }

        public ulong WaitedNs() => Now;
    }
}
