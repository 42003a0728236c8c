using System.Buffers.Binary;
using Akvam.Abi;

namespace Akvam.KvmTests.Interrupts;

/// <summary>KVM_HC_SEND_IPI. [KVM hypercalls.rst]</summary>
public sealed class Hypercalls
{
    [Theory]
    [InlineData(0x2ul, 0ul, 0ul, 0x41ul, 1)] // processor 1
    [InlineData(0x1ul, 0x20ul, 1ul, 0x41ul, 2)] // 1 + 0 and 1 + 64 + 5
    [InlineData(0xFEul, 0ul, 0ul, 0x41ul, 1)] // there is no 2
    [InlineData(0xFFul, 0ul, 0xFFFFFFFFul, 0x41ul, 0)]
    [InlineData(0x2ul, 0ul, 0ul, 0x4_0041ul, -22)] // a shorthand is no list
    public void AnIpiGoesToTheProcessorsOfABitmap(ulong low, ulong high, ulong first, ulong icr, int answer)
    {
        // 64-bit: vmcall; out 1, eax; hlt
        using var guest = new Guest([0x0F, 0x01, 0xC1, 0xE7, 0x01, 0xF4], irqchip: true);
        using Vcpu one = guest.Vm.CreateVcpu(1), seventy = guest.Vm.CreateVcpu(70);
        Enable(one);
        Enable(seventy);
        guest.Vcpu.SetSregs(LongMode.Sregs(guest, cpl: 0));
        guest.Vcpu.SetRegs(new kvm_regs { rip = Guest.CodeAddress, rsp = 0x8000, rflags = 2, rax = KvmPara.KVM_HC_SEND_IPI, rbx = low, rcx = high, rdx = first, rsi = icr });
        Assert.Equal(answer, (int)guest.Vcpu.Run().Io.Value);
        Assert.Equal((answer > 0, answer > 1), (HasVector65(one), HasVector65(seventy)));
    }

    private static void Enable(Vcpu vcpu)
    {
        kvm_lapic_state apic = vcpu.GetLapic();
        BinaryPrimitives.WriteUInt32LittleEndian(((Span<byte>)apic.regs)[0xF0..], 0x1FF);
        vcpu.SetLapic(apic);
    }

    private static bool HasVector65(Vcpu vcpu)
    {
        kvm_lapic_state apic = vcpu.GetLapic();
        return ((Span<byte>)apic.regs)[0x220] == 2;
    }
}
