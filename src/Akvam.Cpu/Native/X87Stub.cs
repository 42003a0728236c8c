using System.Runtime.Intrinsics.X86;
using Akvam.Cpu.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using Register = Iced.Intel.Register;

namespace Akvam.Cpu.Native;

/// <summary>
/// Emits the stub of an x87 instruction: <c>ulong stub(CpuState*, ulong flags)</c>. It loads the guest's whole x87 state with the guest's own masks, executes,
/// and saves it, so that results, flags, stack faults and pending exceptions are the processor's. A memory operand is in <see cref="CpuState.Scratch"/>.
/// </summary>
internal static class X87Stub
{
    public static void Emit(in Instruction guest, Assembler a)
    {
        Instruction host = guest;

        // The assembler takes an address for a label's number, and labels begin at 1.
        host.IP = 0;
        host.SegmentPrefix = Register.None;
        host.HasLockPrefix = host.HasRepPrefix = host.HasRepnePrefix = false;
        for (int op = 0; op < guest.OpCount; op++)
        {
            if (guest.GetOpKind(op) == OpKind.Memory)
            {
                host.MemoryBase = Register.RDI;
                host.MemoryIndex = Register.None;
                host.MemoryIndexScale = 1;
                host.MemoryDisplacement64 = CpuState.ScratchOffset;
                host.MemoryDisplSize = 8;
            }
        }

        // FXRSTOR also loads XMM registers (all volatile here) and MXCSR, which has to be the host's.
        bool flags = VectorNames.TouchesFlags(guest.RflagsModified | guest.RflagsRead);
        if (Avx.IsSupported)
        {
            a.vzeroupper();
        }

        a.mov(__dword_ptr[rdi + CpuState.FxOffset + 24], VectorStub.HostMxcsr);
        a.fxrstor(__[rdi + CpuState.FxOffset]);
        if (flags)
        {
            a.push(rsi);
            a.popfq();
        }

        a.AddInstruction(host);
        if (flags)
        {
            a.pushfq();
            a.pop(rax);
        }

        // FNINIT: the unit that .NET's own libraries use must be empty and have nothing pending.
        a.fxsave(__[rdi + CpuState.FxOffset]);
        a.fninit();
        a.ret();
    }
}
