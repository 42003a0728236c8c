using System.Buffers.Binary;
using Akvam.Abi;
using Akvam.Cpu;

namespace Akvam.KvmTests.Capabilities;

/// <summary>
/// A page table entry with an address bit that the guest's processor does not have. On hardware that is #PF; where the kernel's module emulates smaller addresses, its
/// emulator looks at the instruction, and may not know it. [KVM 8.26 KVM_CAP_SMALLER_MAXPHYADDR, 7.24 KVM_CAP_EXIT_ON_EMULATION_FAILURE]
/// </summary>
public sealed class SmallerAddresses
{
    private const int Bits = 36;
    private const ulong Pd = 0x4000, LargePage = 7 | 1 << 7;

    // fld dword [200000h] and mov eax, [200000h]; hlt
    private static readonly byte[] s_load = [0xD9, 0x04, 0x25, 0x00, 0x00, 0x20, 0x00, 0xF4], s_move = [0x8B, 0x04, 0x25, 0x00, 0x00, 0x20, 0x00, 0xF4];

    private static Guest Create(byte[] code, VmOptions options, ulong extra, int cpl = 0, bool exits = true)
    {
        var guest = new Guest(code, options: options);
        kvm_cpuid_entry2[] cpuid = guest.Vcpu.GetCpuid2();
        ref kvm_cpuid_entry2 sizes = ref cpuid[Array.FindIndex(cpuid, e => e.function == 0x8000_0008)];
        sizes.eax = (sizes.eax & ~0xFFu) | Bits;
        guest.Vcpu.SetCpuid2(cpuid);
        guest.Vcpu.SetSregs(LongMode.Sregs(guest, cpl));
        Span<byte> entry = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(entry, LargePage | extra);
        guest.Write(Pd + 8, entry);
        guest.Vcpu.SetRegs(new kvm_regs { rip = Guest.CodeAddress, rsp = 0x8000, rflags = 2 });
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_EXIT_ON_EMULATION_FAILURE };
        cap.args[0] = exits ? 1ul : 0;
        guest.Vm.EnableCap(cap);
        return guest;
    }

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void WhatTheEmulatorDoesNotKnowIsAnExitWithItsBytes(EngineKind engine)
    {
        using Guest guest = Create(s_load, new VmOptions { EmulateSmallerAddresses = true, Engine = engine, TranslateAfter = 0 }, 1ul << Bits);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_INTERNAL_ERROR, exit.Reason);
        ref readonly kvm_run.EmulationFailure failure = ref exit.EmulationFailure;
        Assert.Equal((KvmExit.KVM_INTERNAL_ERROR_EMULATION, 3u, KvmExit.KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES), (failure.suberror, failure.ndata, failure.flags));
        Assert.Equal(15, failure.insn_size);
        Assert.Equal(s_load, ((ReadOnlySpan<byte>)failure.insn_bytes)[..s_load.Length]);

        // Passed over, the guest goes on.
        kvm_regs regs = guest.Vcpu.GetRegs();
        Assert.Equal(Guest.CodeAddress, regs.rip);
        regs.rip += (ulong)s_load.Length - 1;
        guest.Vcpu.SetRegs(regs);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }

    /// <summary>The guest has no IDT: each of these exceptions is a triple fault.</summary>
    [Theory]
    [InlineData(true, true, 1ul << Bits, 0)]
    [InlineData(false, false, 1ul << Bits, 0)]
    [InlineData(true, false, 1ul << 13, 0)]
    [InlineData(true, false, 1ul << 50, 0)]
    [InlineData(true, false, 1ul << Bits, 3)]
    public void EverythingElseIsAnException(bool emulates, bool move, ulong extra, int cpl)
    {
        using Guest guest = Create(move ? s_move : s_load, new VmOptions { EmulateSmallerAddresses = emulates }, extra, cpl, exits: cpl == 0);
        Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, guest.Vcpu.Run().Reason);
    }
}
