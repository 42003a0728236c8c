using System.Runtime.InteropServices;
using Akvam.Abi;

namespace Akvam.KvmTests.Memory;

/// <summary>[KVM 8.29]</summary>
public sealed unsafe class DirtyRings
{
    private const int Entries = 256;
    private const uint Pages = 600;

    /// <summary>mov [edi], al; add edi, 1000h; dec ecx; jnz; hlt</summary>
    private static ReadOnlySpan<byte> Writer => [0x67, 0x88, 0x07, 0x66, 0x81, 0xC7, 0x00, 0x10, 0x00, 0x00, 0x66, 0x49, 0x75, 0xF2, 0xF4];

    [Fact]
    public void AFullRingIsAnExitAndNoPageIsLost()
    {
        using var kvm = Kvm.Open();
        using Vm vm = kvm.CreateVm();
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_DIRTY_LOG_RING_ACQ_REL };
        cap.args[0] = Entries * 16;
        vm.EnableCap(in cap);
        GuestMemory memory = vm.AllocateMemory(0x40_0000);
        vm.MapMemory(1, 0, memory, flags: KvmMemory.KVM_MEM_LOG_DIRTY_PAGES);
        void* run = NativeMemory.AlignedAlloc((nuint)vm.VcpuMappingSize, 4096);
        try
        {
            NativeMemory.Clear(run, (nuint)vm.VcpuMappingSize);
            using Vcpu vcpu = vm.CreateVcpu(0, (nint)run);
            vm.WriteMemory(Guest.CodeAddress, Writer);
            Guest.StartReal(vcpu, Guest.CodeAddress);
            kvm_sregs sregs = vcpu.GetSregs();
            sregs.ds.limit = uint.MaxValue;
            vcpu.SetSregs(in sregs);
            kvm_regs regs = vcpu.GetRegs();
            regs.rdi = 0x10_0000;
            regs.rcx = Pages;
            vcpu.SetRegs(in regs);

            var ring = (kvm_dirty_gfn*)((byte*)run + (KvmApi.KVM_DIRTY_LOG_PAGE_OFFSET * 4096));
            var seen = new List<ulong>();
            uint next = 0;
            int full = 0;
            while (vcpu.Run().Reason == KvmExit.KVM_EXIT_DIRTY_RING_FULL)
            {
                full++;
                Collect(ring, ref next, seen);
                Assert.True(vm.ResetDirtyRings() >= Entries - 64);
            }

            Collect(ring, ref next, seen);
            Assert.Equal(KvmExit.KVM_EXIT_HLT, vcpu.RunPage.exit_reason);
            Assert.True(full >= 2);
            for (ulong page = 0x100; page < 0x100 + Pages; page++)
            {
                Assert.Contains(page, seen);
            }

            Assert.Equal(Errno.ENXIO, Assert.Throws<KvmException>(() => vm.GetDirtyLog(1, new ulong[16])).Errno);
            vm.Dispose();
        }
        finally
        {
            NativeMemory.AlignedFree(run);
        }
    }

    [Theory]
    [InlineData(0ul, Errno.EINVAL)]
    [InlineData(2048ul, Errno.EINVAL)]
    [InlineData(5000ul, Errno.EINVAL)]
    [InlineData(2ul << 20, Errno.E2BIG)]
    public void SizesAreChecked(ulong bytes, Errno errno)
    {
        using var kvm = Kvm.Open();
        using Vm vm = kvm.CreateVm();
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_DIRTY_LOG_RING };
        cap.args[0] = bytes;
        Assert.Equal(errno, Assert.Throws<KvmException>(() => vm.EnableCap(in cap)).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => vm.ResetDirtyRings()).Errno);
    }

    private static void Collect(kvm_dirty_gfn* ring, ref uint next, List<ulong> pages)
    {
        for (; ring[next % Entries].flags == KvmMemory.KVM_DIRTY_GFN_F_DIRTY; next++)
        {
            Assert.Equal(1u, ring[next % Entries].slot);
            pages.Add(ring[next % Entries].offset);
            ring[next % Entries].flags = KvmMemory.KVM_DIRTY_GFN_F_RESET;
        }
    }
}
