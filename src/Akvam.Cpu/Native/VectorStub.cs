using System.Runtime.Intrinsics.X86;
using Akvam.Cpu.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using GuestRegister = Akvam.Cpu.State.Register;
using Register = Iced.Intel.Register;

namespace Akvam.Cpu.Native;

/// <summary>
/// Emits the stub of an SSE, AVX or MMX instruction: <c>ulong stub(op0, op1, op2, op3, CpuState*, uint* mxcsr)</c>. The first four point at the register
/// operands in the order of the manual's syntax; a memory operand is in <see cref="CpuState.Scratch"/>. Returns RFLAGS for instructions that set flags.
/// </summary>
internal static class VectorStub
{
    /// <summary>The host's MXCSR as .NET expects it: round to nearest, everything masked.</summary>
    public const uint HostMxcsr = 0x1F80;

    private static readonly AssemblerRegister64[] s_pointers = [rdi, rsi, rdx, rcx];
    private static readonly AssemblerRegister64[] s_general = [rax, r10, r11];

    public static void Emit(in Instruction guest, in VectorShape shape, Assembler a)
    {
        Instruction host = guest;

        // The assembler takes an address for a label's number, and labels begin at 1.
        host.IP = 0;
        host.SegmentPrefix = Register.None;
        host.HasLockPrefix = host.HasRepPrefix = host.HasRepnePrefix = false;

        // Legacy SSE code while an upper half is in use, by whoever ran before, costs the host four times as long.
        if (guest.Code.Encoding() != EncodingKind.VEX && Avx.IsSupported)
        {
            a.vzeroupper();
        }

        // XMM0 is left for the instructions that use it without naming it.
        int pointer = 0;
        for (int op = 0; op < guest.OpCount; op++)
        {
            if (guest.GetOpKind(op) == OpKind.Register)
            {
                host.SetOpRegister(op, Load(a, guest.GetOpRegister(op), op, s_pointers[pointer++]));
            }
            else if (guest.GetOpKind(op) == OpKind.Memory)
            {
                host.MemoryBase = Register.R8;
                host.MemoryIndex = Register.None;
                host.MemoryIndexScale = 1;
                host.MemoryDisplacement64 = CpuState.ScratchOffset;
                host.MemoryDisplSize = 8;
            }
        }

        bool vex = guest.Code.Encoding() == EncodingKind.VEX;
        if ((shape.Implicit & ImplicitOperands.Xmm0In) != 0)
        {
            a.movups(xmm0, __[r8 + CpuState.VectorOffset]);
        }

        if ((shape.Implicit & ImplicitOperands.Lengths) != 0)
        {
            a.mov(rax, __[r8 + (GuestRegister.Rax * 8)]);
            a.mov(rdx, __[r8 + (GuestRegister.Rdx * 8)]);
        }

        if (shape.UsesMxcsr)
        {
            // Loading MXCSR costs some 20 cycles, reading it a few: it is loaded only when it differs, and usually the last stub left it as it is needed.
            Label loaded = a.CreateLabel();
            a.stmxcsr(__dword_ptr[rsp - 8]);
            a.mov(ecx, __dword_ptr[rsp - 8]);
            a.cmp(ecx, __dword_ptr[r9]);
            a.je(loaded);
            a.ldmxcsr(__dword_ptr[r9]);
            a.Label(ref loaded);
        }

        a.AddInstruction(host);
        if (shape.UsesMxcsr)
        {
            a.stmxcsr(__dword_ptr[r9]);
        }

        if (shape.SetsFlags)
        {
            a.pushfq();
            a.pop(rax);
        }

        if (shape.WritesRegister)
        {
            Store(a, host.GetOpRegister(0), vex);
        }

        if ((shape.Implicit & ImplicitOperands.EcxOut) != 0)
        {
            a.mov(__[r8 + (GuestRegister.Rcx * 8)], rcx);
        }

        if ((shape.Implicit & ImplicitOperands.Xmm0Out) != 0)
        {
            Store128Or256(a, __[r8 + CpuState.VectorOffset], xmm0, vex);
        }

        Leave(a, shape, vex);
    }

    private static void Leave(Assembler a, in VectorShape shape, bool vex)
    {
        if (vex)
        {
            a.vzeroupper();
        }

        if (shape.UsesMmx)
        {
            a.emms();
        }

        if (!shape.UsesMxcsr)
        {
            a.ret();
            return;
        }

        // Flags that stay set do not disturb .NET; another rounding mode or flushing to zero would.
        Label constant = a.CreateLabel(), changed = a.CreateLabel();
        a.mov(ecx, __dword_ptr[r9]);
        a.and(ecx, ~0x3F);
        a.cmp(ecx, (int)HostMxcsr);
        a.jne(changed);
        a.ret();
        a.Label(ref changed);
        a.ldmxcsr(__dword_ptr[constant]);
        a.ret();
        a.Label(ref constant);
        a.dd(HostMxcsr);
    }

    private static Register Load(Assembler a, Register guest, int op, AssemblerRegister64 pointer)
    {
        if (guest.IsXMM())
        {
            var xmm = new AssemblerRegisterXMM(Register.XMM1 + op);
            a.movups(xmm, __[pointer]);
            return xmm;
        }

        if (guest.IsYMM())
        {
            var ymm = new AssemblerRegisterYMM(Register.YMM1 + op);
            a.vmovups(ymm, __[pointer]);
            return ymm;
        }

        if (guest.IsMM())
        {
            var mm = new AssemblerRegisterMM(Register.MM0 + op);
            a.movq(mm, __qword_ptr[pointer]);
            return mm;
        }

        AssemblerRegister64 general = s_general[op];
        a.mov(general, __[pointer]);
        Register full = general;
        return guest.IsGPR64() ? full : Register.EAX + (full - Register.RAX);
    }

    private static void Store(Assembler a, Register host, bool vex)
    {
        if (host.IsXMM())
        {
            Store128Or256(a, __[rdi], new AssemblerRegisterXMM(host), vex);
        }
        else if (host.IsYMM())
        {
            a.vmovups(__[rdi], new AssemblerRegisterYMM(host));
        }
        else if (host.IsMM())
        {
            a.movq(__qword_ptr[rdi], new AssemblerRegisterMM(host));
        }
        else
        {
            // A 32-bit result is zero-extended already.
            a.mov(__[rdi], new AssemblerRegister64(host.GetFullRegister()));
        }
    }

    /// <summary>A VEX instruction cleared the upper half, which is stored with it; a legacy one leaves the guest's upper half alone. [APM4 1.4.3]</summary>
    private static void Store128Or256(Assembler a, AssemblerMemoryOperand to, AssemblerRegisterXMM xmm, bool vex)
    {
        if (vex)
        {
            a.vmovups(to, new AssemblerRegisterYMM(Register.YMM0 + ((Register)xmm - Register.XMM0)));
        }
        else
        {
            a.movups(to, xmm);
        }
    }
}
