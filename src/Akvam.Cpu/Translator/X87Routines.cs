using Akvam.Cpu.Semantics.X87;
using Akvam.Cpu.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Akvam.Cpu.Translator;

/// <summary>
/// Loads the guest's x87 unit into the host's, and stores it: XRSTOR and XSAVE of that component only, which leave the vector registers alone.
/// <see cref="CpuState.X87Held"/> says that the host holds it. [SDM1 13.7] [SDM1 13.8]
/// </summary>
/// <remarks>Never while the guest unmasks an exception, or one is pending: the host would deliver a signal. The area's header is where <see cref="CpuState.Scratch"/> is.</remarks>
internal static class X87Routines
{
    /// <summary>The x87 unit in the map of state components.</summary>
    private const int Component = 1;

    /// <summary>Called between two guest instructions: "equal" when the unit is loaded, else the interpreter has to do it. Changes flags, scratch and address register.</summary>
    public static byte[] Load()
    {
        var a = new Assembler(64);
        Label refuse = a.CreateLabel();
        a.mov(r13d, Field(CpuState.FxOffset + X87State.FcwAt));
        a.and(r13d, X87State.ExceptionFlags | (X87State.Summary << 16));
        a.cmp(r13d, X87State.ExceptionFlags);
        a.jne(refuse);
        a.mov(r13, rax);
        a.mov(r14, rdx);
        a.mov(eax, Component);
        a.xor(edx, edx);
        a.mov(__qword_ptr[r15 + CpuState.ScratchOffset], rax);
        for (int n = 1; n < 8; n++)
        {
            a.mov(__qword_ptr[r15 + (CpuState.ScratchOffset + (8 * n))], rdx);
        }

        a.xrstor(__[r15 + CpuState.FxOffset]);
        a.mov(rax, r13);
        a.mov(rdx, r14);
        a.mov(Field(StateOffset.X87Held), 1);
        a.cmp(r13, r13);
        a.ret();
        a.Label(ref refuse);
        a.mov(Field(StateOffset.LeaveToInterpreter), 1);
        a.ret();
        return VectorRoutines.Assemble(a);
    }

    /// <summary>
    /// Called with the pinned registers stored. The pointers of the last instruction are the guest's, which host code keeps in the image; and the unit that .NET's own
    /// libraries use must be empty and have nothing pending. Changes RAX, RCX, RDX, RSI, RDI.
    /// </summary>
    public static byte[] Store()
    {
        var a = new Assembler(64);
        a.mov(cx, __word_ptr[r15 + (CpuState.FxOffset + X87State.FopAt)]);
        a.mov(rsi, __qword_ptr[r15 + (CpuState.FxOffset + X87State.FipAt)]);
        a.mov(rdi, __qword_ptr[r15 + (CpuState.FxOffset + X87State.FdpAt)]);
        a.mov(eax, Component);
        a.xor(edx, edx);
        a.xsave(__[r15 + CpuState.FxOffset]);
        a.mov(__word_ptr[r15 + (CpuState.FxOffset + X87State.FopAt)], cx);
        a.mov(__qword_ptr[r15 + (CpuState.FxOffset + X87State.FipAt)], rsi);
        a.mov(__qword_ptr[r15 + (CpuState.FxOffset + X87State.FdpAt)], rdi);
        a.mov(Field(StateOffset.X87Held), 0);
        a.fninit();
        a.ret();
        return VectorRoutines.Assemble(a);
    }

    private static AssemblerMemoryOperand Field(int offset) => __dword_ptr[r15 + offset];
}
