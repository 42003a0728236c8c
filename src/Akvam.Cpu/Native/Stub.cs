using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Native;

/// <summary>A piece of host code for one kind of guest instruction, and the handler that knows how to call it.</summary>
/// <remarks>Valid as long as the <see cref="HostStubs"/> that made it.</remarks>
internal readonly unsafe struct Stub
{
    public Stub(nint entry, delegate*<CpuState*, Insn*, Flow> handler)
    {
        Entry = entry;
        Handler = handler;
    }

    public nint Entry { get; }

    public delegate*<CpuState*, Insn*, Flow> Handler { get; }
}
