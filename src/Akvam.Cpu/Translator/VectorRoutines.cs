using System.Runtime.Intrinsics.X86;
using Akvam.Cpu.Native;
using Akvam.Cpu.Semantics.Simd;
using Akvam.Cpu.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Akvam.Cpu.Translator;

/// <summary>
/// Loads the guest's vector registers into the host's of the same number, with the guest's MXCSR, and stores them. <see cref="CpuState.VectorsHeld"/> says what
/// the host holds: 0 nothing, <see cref="Registers"/> when the guest unmasks an exception, so that MXCSR is still .NET's, else <see cref="RegistersAndMxcsr"/>.
/// </summary>
internal static class VectorRoutines
{
    public const int Registers = 1, RegistersAndMxcsr = 2;

    private static readonly AssemblerRegisterXMM[] s_xmm = [xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15];
    private static readonly AssemblerRegisterYMM[] s_ymm = [ymm0, ymm1, ymm2, ymm3, ymm4, ymm5, ymm6, ymm7, ymm8, ymm9, ymm10, ymm11, ymm12, ymm13, ymm14, ymm15];

    /// <summary>Called between two guest instructions. Changes flags, scratch and address register.</summary>
    public static byte[] Load()
    {
        var a = new Assembler(64);
        Label mxcsr = a.CreateLabel(), quiet = a.CreateLabel(), same = a.CreateLabel();
        if (Avx.IsSupported)
        {
            // Legacy SSE instructions wait for upper halves that are in use: they are, for the host, unless cleared by VZEROUPPER.
            Label upper = a.CreateLabel();
            a.vmovups(xmm0, Vector(0, 16));
            for (int n = 1; n < 16; n++)
            {
                a.vorps(xmm0, xmm0, Vector(n, 16));
            }

            a.vptest(xmm0, xmm0);
            a.jne(upper);
            a.vzeroupper();
            LoadLow(a);
            a.jmp(mxcsr);
            a.Label(ref upper);
            for (int n = 0; n < 16; n++)
            {
                a.vmovups(s_ymm[n], Vector(n, 0));
            }
        }
        else
        {
            LoadLow(a);
        }

        a.Label(ref mxcsr);
        a.mov(r13d, State(StateOffset.Mxcsr));
        a.mov(r14d, r13d);
        a.and(r13d, (int)Mxcsr.Masks);
        a.cmp(r13d, (int)Mxcsr.Masks);
        a.jne(quiet);
        a.stmxcsr(__dword_ptr[rsp - 8]);
        a.cmp(r14d, __dword_ptr[rsp - 8]);
        a.je(same);
        a.ldmxcsr(State(StateOffset.Mxcsr));
        a.Label(ref same);
        a.mov(State(StateOffset.VectorsHeld), RegistersAndMxcsr);
        a.ret();
        a.Label(ref quiet);
        a.mov(State(StateOffset.VectorsHeld), Registers);
        a.ret();
        return Assemble(a);
    }

    /// <summary>Called with the pinned registers stored. Changes flags and RAX.</summary>
    public static byte[] Store()
    {
        var a = new Assembler(64);
        Label quiet = a.CreateLabel();
        for (int n = 0; n < 16; n++)
        {
            if (Avx.IsSupported)
            {
                a.vmovups(Vector(n, 0), s_ymm[n]);
            }
            else
            {
                a.movups(Vector(n, 0), s_xmm[n]);
            }
        }

        if (Avx.IsSupported)
        {
            a.vzeroupper();
        }

        a.cmp(State(StateOffset.VectorsHeld), RegistersAndMxcsr);
        a.mov(State(StateOffset.VectorsHeld), 0);
        a.jne(quiet);

        // Flags that stay set do not disturb .NET; another rounding mode or flushing to zero would.
        a.stmxcsr(State(StateOffset.Mxcsr));
        a.mov(eax, State(StateOffset.Mxcsr));
        a.and(eax, ~(int)Mxcsr.Flags);
        a.cmp(eax, (int)VectorStub.HostMxcsr);
        a.je(quiet);
        a.push((int)VectorStub.HostMxcsr);
        a.ldmxcsr(__dword_ptr[rsp]);
        a.pop(rax);
        a.Label(ref quiet);
        a.ret();
        return Assemble(a);
    }

    private static void LoadLow(Assembler a)
    {
        for (int n = 0; n < 16; n++)
        {
            a.movups(s_xmm[n], Vector(n, 0));
        }
    }

    private static AssemblerMemoryOperand Vector(int n, int at) => __[r15 + (CpuState.VectorOffset + (32 * n) + at)];

    private static AssemblerMemoryOperand State(int offset) => __dword_ptr[r15 + offset];

    internal static byte[] Assemble(Assembler a)
    {
        var writer = new ListWriter();
        a.Assemble(writer, 0);
        return [.. writer.Bytes];
    }

    private sealed class ListWriter : CodeWriter
    {
        public List<byte> Bytes { get; } = [];

        public override void WriteByte(byte value) => Bytes.Add(value);
    }
}
