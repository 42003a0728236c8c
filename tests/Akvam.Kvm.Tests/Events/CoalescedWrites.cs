using System.Runtime.CompilerServices;
using Akvam.Abi;

namespace Akvam.KvmTests.Events;

/// <summary>[KVM 4.116]</summary>
public sealed unsafe class CoalescedWrites
{
    private static readonly kvm_coalesced_mmio_zone s_port = new() { addr = 0x80, size = 2, pio = 1 };

    // mov ax, 2000h; mov ds, ax; mov word [10h], 1234h; hlt
    private static readonly byte[] s_oneWrite = [0xB8, 0x00, 0x20, 0x8E, 0xD8, 0xC7, 0x06, 0x10, 0x00, 0x34, 0x12, 0xF4];

    // l: out 80h, al; inc ax; jmp l
    private static readonly byte[] s_portWrites = [0xE6, 0x80, 0x40, 0xEB, 0xFB];

    private static kvm_coalesced_mmio_ring* Ring(Guest guest)
    {
        int page = guest.Vm.CheckExtension(KvmCap.KVM_CAP_COALESCED_MMIO);
        Assert.Equal(2, page);
        return (kvm_coalesced_mmio_ring*)((byte*)Unsafe.AsPointer(ref guest.Vcpu.RunPage) + (page * 4096));
    }

    private static ref kvm_coalesced_mmio Entry(Guest guest, uint index) => ref ((kvm_coalesced_mmio*)(Ring(guest) + 1))[index];

    [Fact]
    public void AWriteToAnAddressWaitsInTheRing()
    {
        using var guest = new Guest(s_oneWrite);
        guest.Vm.RegisterCoalesced(new kvm_coalesced_mmio_zone { addr = 0x20000, size = 0x1000 });
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(0u, Ring(guest)->first);
        Assert.Equal(1u, Ring(guest)->last);
        ref kvm_coalesced_mmio entry = ref Entry(guest, 0);
        Assert.Equal(0x20010ul, entry.phys_addr);
        Assert.Equal(2u, entry.len);
        Assert.Equal(0u, entry.pio);
        Assert.Equal<byte>([0x34, 0x12], ((Span<byte>)entry.data)[..2].ToArray());
    }

    [Fact]
    public void AFullRingIsAnExit()
    {
        using var guest = new Guest(s_portWrites);
        guest.Vm.RegisterCoalesced(s_port);
        VcpuExit exit = guest.Vcpu.Run(maxInstructions: 10_000);
        Assert.Equal(KvmExit.KVM_EXIT_IO, exit.Reason);

        // 169 of 170 entries: a ring with first = last is empty.
        Assert.Equal(169u, exit.Io.Value);
        Assert.Equal(169u, Ring(guest)->last);
        Assert.Equal(1u, Entry(guest, 7).pio);
        Assert.Equal(7, Entry(guest, 7).data[0]);

        Ring(guest)->first = 169;
        exit = guest.Vcpu.Run(maxInstructions: 10_000);
        Assert.Equal(KvmExit.KVM_EXIT_IO, exit.Reason);
        Assert.Equal((169u + 170) % 256, exit.Io.Value);
    }

    [Fact]
    public void AZoneThatGoesIsExitsAgain()
    {
        using var guest = new Guest(s_portWrites);
        guest.Vm.RegisterCoalesced(s_port);
        guest.Vm.UnregisterCoalesced(s_port with { pio = 0 });
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(maxInstructions: 10).Reason);
        guest.Vm.UnregisterCoalesced(s_port with { addr = 0x81, size = 1 });
        Assert.Equal(KvmExit.KVM_EXIT_IO, guest.Vcpu.Run(maxInstructions: 10).Reason);
    }

    [Fact]
    public void ABrokenRingOfTheClientIsAnExit()
    {
        using var guest = new Guest(s_portWrites);
        guest.Vm.RegisterCoalesced(s_port);
        Ring(guest)->last = uint.MaxValue;
        Assert.Equal(KvmExit.KVM_EXIT_IO, guest.Vcpu.Run(maxInstructions: 10).Reason);
    }

    [Fact]
    public void AZoneIsMemoryOrPorts()
    {
        using var guest = new Guest(s_portWrites);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vm.RegisterCoalesced(s_port with { pio = 2 })).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vm.UnregisterCoalesced(s_port with { pio = 2 })).Errno);
    }
}
