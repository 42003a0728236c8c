using Akvam.Abi;
using Akvam.Debugger.Smram;

namespace Akvam.Tests.Debugger;

/// <summary>A state that another emulator saved, converted and resumed by RSM.</summary>
public sealed class SmramResumeTests
{
    private const uint Handler = 0x3_8000, Image = 0x3_FE00;

    [Fact]
    public void Seed0_10_AnImageOfQemuConvertedAndResumedIsTheStateThatQemuSaved()
    {
        using var kvm = Kvm.Open();
        using Vm vm = kvm.CreateVm();
        vm.AddMemory(0, 0x10_0000);
        vm.MapMemory(1 << 16, 0, vm.AllocateMemory(0x10_0000));
        using Vcpu vcpu = vm.CreateVcpu();
        kvm_cpuid_entry2[] cpuid = kvm.GetSupportedCpuid();
        for (int i = 0; i < cpuid.Length; i++)
        {
            cpuid[i].edx &= cpuid[i].function == 0x8000_0001 ? ~(1u << 29) : ~0u;
        }

        vcpu.SetCpuid2(cpuid);
        SmramImage image = SmramConverter.Convert(new SmramImage(SmramSamples.Qemu(), SmramFormat.Qemu32), SmramFormat.Kvm32, out _);
        vcpu.Smi();
        vm.WriteMemory(Handler, [0x90, 0x0F, 0xAA], space: 1);
        Assert.Equal(KvmExit.KVM_EXIT_INTR, vcpu.Run(1).Reason);
        vm.WriteMemory(Image, image.Bytes, space: 1);
        VcpuExit exit = vcpu.Run(1);
        Assert.Equal((KvmExit.KVM_EXIT_INTR, false), (exit.Reason, exit.InSmm));

        kvm_regs regs = vcpu.GetRegs();
        kvm_sregs sregs = vcpu.GetSregs();
        Assert.Equal((0xA000_0001ul, 0xA000_0005ul, 0xA000_0008ul, 0xF00B3ul, 0x447ul), (regs.rax, regs.rsp, regs.rdi, regs.rip, regs.rflags));
        Assert.Equal((0x6000_0011ul, 0x12345ul, 0x10ul), (sregs.cr0, sregs.cr3, sregs.cr4));
        AssertSegment(sregs.cs, 8, 11, 0, 0xFFFF_FFFF, 0);
        AssertSegment(sregs.es, 0x18, 3, 0, 0x1FFF, 0x2_0000);
        AssertSegment(sregs.fs, 0x2B, 3, 3, 0xFFF_FFFF, 0x44_4000);
        AssertSegment(sregs.ss, 0x20, 3, 0, 0xFFFF_FFFF, 0xF_0000);
        AssertSegment(sregs.ldt, 0x38, 2, 0, 0xFF, 0x6_6000);
        Assert.Equal(1, sregs.gs.unusable);
        Assert.Equal((0x3F, 0xF00D0ul, 0x123, 0x98765ul), (sregs.gdt.limit, sregs.gdt.@base, sregs.idt.limit, sregs.idt.@base));
    }

    private static void AssertSegment(in kvm_segment actual, ushort selector, byte type, byte dpl, uint limit, ulong address) =>
        Assert.Equal((selector, type, dpl, limit, address), (actual.selector, actual.type, actual.dpl, actual.limit, actual.@base));
}
