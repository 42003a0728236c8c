using Akvam.Abi;

namespace Akvam.KvmTests.Running;

/// <summary>[KVM 5 KVM_EXIT_MMIO]</summary>
public sealed class MmioExits
{
    [Fact]
    public void AStoreWhereNoMemoryIsShowsAddressAndData()
    {
        // mov ax, 2000h; mov ds, ax; mov word [10h], 0abcdh; hlt
        using var guest = new Guest([0xB8, 0x00, 0x20, 0x8E, 0xD8, 0xC7, 0x06, 0x10, 0x00, 0xCD, 0xAB, 0xF4]);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_MMIO, exit.Reason);
        Assert.True(exit.Mmio.IsWrite);
        Assert.Equal(0x2_0010ul, exit.Mmio.Address);
        Assert.Equal<byte>([0xCD, 0xAB], exit.Mmio.Data.ToArray());
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }

    [Fact]
    public void ALoadTakesTheAnswerOfTheClient()
    {
        // mov ax, 2000h; mov ds, ax; mov ecx, [10h]; hlt
        using var guest = new Guest([0xB8, 0x00, 0x20, 0x8E, 0xD8, 0x66, 0x8B, 0x0E, 0x10, 0x00, 0xF4]);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_MMIO, exit.Reason);
        Assert.False(exit.Mmio.IsWrite);
        Assert.Equal(4, exit.Mmio.Data.Length);
        BitConverter.TryWriteBytes(exit.Mmio.Data, 0xCAFE_F00D);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(0xCAFE_F00Dul, guest.Vcpu.GetRegs().rcx);
    }

    [Fact]
    public void AReadModifyWriteIsALoadAndThenAStore()
    {
        // mov ax, 2000h; mov ds, ax; add byte [10h], 5; hlt
        using var guest = new Guest([0xB8, 0x00, 0x20, 0x8E, 0xD8, 0x80, 0x06, 0x10, 0x00, 0x05, 0xF4]);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.False(exit.Mmio.IsWrite);
        exit.Mmio.Data[0] = 7;
        exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_MMIO, exit.Reason);
        Assert.True(exit.Mmio.IsWrite);
        Assert.Equal(12, exit.Mmio.Data[0]);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }

    [Fact]
    public void AWriteToReadOnlyMemoryIsAnExitAndChangesNothing()
    {
        // mov ax, 2000h; mov ds, ax; mov byte [0], 1; mov cl, [0]; hlt
        using var guest = new Guest([0xB8, 0x00, 0x20, 0x8E, 0xD8, 0xC6, 0x06, 0x00, 0x00, 0x01, 0x8A, 0x0E, 0x00, 0x00, 0xF4]);
        GuestMemory rom = guest.Vm.AllocateMemory(0x1000);
        rom.Span(0, 1)[0] = 0x42;
        guest.Vm.MapMemory(5, 0x2_0000, rom, flags: KvmMemory.KVM_MEM_READONLY);

        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_MMIO, exit.Reason);
        Assert.True(exit.Mmio.IsWrite);
        Assert.Equal(0x2_0000ul, exit.Mmio.Address);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(0x42ul, guest.Vcpu.GetRegs().rcx);
    }
}
