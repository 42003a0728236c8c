using Akvam.Abi;

namespace Akvam.KvmTests.Memory;

/// <summary>A guest that runs sees a slot go and another come.</summary>
public sealed class SlotsChangeUnderTheGuest
{
    [Fact]
    public void ADeletedSlotBecomesMmioWhileTheGuestReadsIt()
    {
        // mov ax, 2000h; mov ds, ax; l: mov al, [0]; jmp l
        using var guest = new Guest([0xB8, 0x00, 0x20, 0x8E, 0xD8, 0xA0, 0x00, 0x00, 0xEB, 0xFB]);
        GuestMemory extra = guest.Vm.AllocateMemory(0x1000);
        guest.Vm.MapMemory(7, 0x2_0000, extra);
        var client = new Thread(() =>
        {
            Thread.Sleep(20);
            guest.Vm.SetUserMemoryRegion(new kvm_userspace_memory_region { slot = 7 });
        });
        client.Start();
        VcpuExit exit = guest.Vcpu.Run();
        client.Join();
        Assert.Equal(KvmExit.KVM_EXIT_MMIO, exit.Reason);
        Assert.Equal(0x2_0000ul, exit.Mmio.Address);
    }

    [Fact]
    public void CodeThatTheClientWritesRunsAtOnce()
    {
        // l: out 10h, al; jmp l
        using var guest = new Guest([0xE6, 0x10, 0xEB, 0xFC]);
        Assert.Equal(0x10, guest.Vcpu.Run().Io.Port);
        Assert.Equal(0x10, guest.Vcpu.Run().Io.Port);
        guest.Write(Guest.CodeAddress + 1, [0x20]);
        Assert.Equal(0x20, guest.Vcpu.Run().Io.Port);

        // Straight into the memory, as a device of the client would.
        guest.Memory.Span(Guest.CodeAddress + 1, 1)[0] = 0x30;
        Assert.Equal(0x30, guest.Vcpu.Run().Io.Port);
    }
}
