using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Akvam.Isa.Tests.Oracle;

/// <summary>
/// Executes one instruction natively with given registers: a small routine loads everything from a <see cref="MachineState"/>, runs the instruction's
/// bytes, and stores everything back. Only for instructions that do not fault here, and with RSP in <see cref="ScratchAddress"/>.
/// </summary>
/// <remarks>Valid until disposed; the pages are at fixed low addresses, so that a guest can have the same addresses.</remarks>
internal sealed unsafe class HostCpu : IDisposable
{
    public const ulong CodeAddress = 0x2000_0000, StateAddress = 0x2001_0000, ScratchAddress = 0x1000_0000;
    public const int ScratchBytes = 0x1_0000;
    private const int Prot = 7, Private = 2, Anonymous = 0x20, FixedNoReplace = 0x10_0000;
    private static readonly bool s_avx = System.Runtime.Intrinsics.X86.Avx.IsSupported;

    public HostCpu()
    {
        Map(CodeAddress, 0x1_0000);
        Map(StateAddress, 0x1_0000);
        Map(ScratchAddress, ScratchBytes);
    }

    public MachineState* State => (MachineState*)StateAddress;

    public static Span<byte> Scratch => new((void*)ScratchAddress, ScratchBytes);

    public void Run(ReadOnlySpan<byte> instruction)
    {
        var a = new Assembler(64);
        a.push(rbx);
        a.push(rbp);
        a.push(r12);
        a.push(r13);
        a.push(r14);
        a.push(r15);
        a.mov(rax, StateAddress);
        a.mov(__qword_ptr[rax + MachineState.HostRspOffset], rsp);
        a.fxrstor64(__[rax + MachineState.FxOffset]);
        Vectors(a, load: true);
        a.ldmxcsr(__dword_ptr[rax + MachineState.MxcsrOffset]);
        a.push(__qword_ptr[rax + MachineState.RflagsOffset]);
        a.popfq();
        AssemblerRegister64[] gpr = [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];
        for (int n = 1; n < 16; n++)
        {
            a.mov(gpr[n], __qword_ptr[rax + (8 * n)]);
        }

        a.mov(rax, __qword_ptr[rax]);
        a.db(instruction.ToArray());

        // Store without touching flags: RAX goes to a fixed place first.
        a.AddInstruction(Instruction.Create(Code.Mov_moffs64_RAX, new MemoryOperand(Register.None, Register.None, 1, (long)StateAddress, 8, false, Register.None), Register.RAX));
        a.mov(rax, StateAddress);
        for (int n = 1; n < 16; n++)
        {
            a.mov(__qword_ptr[rax + (8 * n)], gpr[n]);
        }

        a.mov(rsp, __qword_ptr[rax + MachineState.HostRspOffset]);
        a.pushfq();
        a.pop(__qword_ptr[rax + MachineState.RflagsOffset]);
        a.stmxcsr(__dword_ptr[rax + MachineState.MxcsrOffset]);
        Vectors(a, load: false);
        a.fxsave64(__[rax + MachineState.FxOffset]);
        a.fninit();
        a.push(0x1F80);
        a.ldmxcsr(__dword_ptr[rsp]);
        a.pop(rax);
        a.push(2);
        a.popfq();
        a.pop(r15);
        a.pop(r14);
        a.pop(r13);
        a.pop(r12);
        a.pop(rbp);
        a.pop(rbx);
        a.ret();
        var writer = new SpanWriter();
        a.Assemble(writer, CodeAddress);
        ((delegate* unmanaged<void>)CodeAddress)();
    }

    private static void Vectors(Assembler a, bool load)
    {
        for (int n = 0; n < 16; n++)
        {
            AssemblerMemoryOperand m = __[rax + (MachineState.YmmOffset + (32 * n))];
            if (s_avx)
            {
                var y = new AssemblerRegisterYMM[] { ymm0, ymm1, ymm2, ymm3, ymm4, ymm5, ymm6, ymm7, ymm8, ymm9, ymm10, ymm11, ymm12, ymm13, ymm14, ymm15 }[n];
                if (load)
                {
                    a.vmovdqu(y, m);
                }
                else
                {
                    a.vmovdqu(m, y);
                }
            }
            else
            {
                var x = new AssemblerRegisterXMM[] { xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15 }[n];
                if (load)
                {
                    a.movdqu(x, m);
                }
                else
                {
                    a.movdqu(m, x);
                }
            }
        }
    }

    private static void Map(ulong address, int bytes)
    {
        nint at = mmap((nint)address, bytes, Prot, Private | Anonymous | FixedNoReplace, -1, 0);
        if (at != (nint)address)
        {
            throw new InvalidOperationException($"cannot map test pages at 0x{address:x}");
        }
    }

    public void Dispose()
    {
        munmap((nint)CodeAddress, 0x1_0000);
        munmap((nint)StateAddress, 0x1_0000);
        munmap((nint)ScratchAddress, ScratchBytes);
    }

    private sealed class SpanWriter : CodeWriter
    {
        private byte* _at = (byte*)CodeAddress;

        public override void WriteByte(byte value) => *_at++ = value;
    }

    [DllImport("libc", SetLastError = true)]
    private static extern nint mmap(nint address, nint length, int protection, int flags, int fd, nint offset);

    [DllImport("libc", SetLastError = true)]
    private static extern int munmap(nint address, nint length);
}
