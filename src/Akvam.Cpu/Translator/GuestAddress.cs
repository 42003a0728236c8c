using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>
/// A guest address: base and index as byte offsets into the CpuState (<see cref="Register.ZeroOffset"/>: none), and the offset of a segment's base (0: none).
/// </summary>
/// <remarks>Valid as a value; it holds nothing of the instruction it was made from.</remarks>
internal readonly unsafe record struct GuestAddress(int Base, int Index, int Scale, int Disp, int Segment)
{
    public static GuestAddress Of(Insn* i) => new(
        i->Base,
        i->Index,
        i->Scale,
        i->Disp,
        (i->Flags & InsnFlags.Flat) != 0 ? 0 : i->Segment == State.Segment.Fs ? StateOffset.FsBase : StateOffset.GsBase);

    /// <summary>Relative to a register.</summary>
    public static GuestAddress At(int guest, int disp) => new(guest * 8, Register.ZeroOffset, 0, disp, 0);

    /// <summary>Host register that holds a base or index; -1: none or in memory.</summary>
    public static int Host(int offset) => offset < 16 * 8 ? HostRegister.Of(offset / 8) : -1;

    /// <summary>The base or index has to be loaded from the state.</summary>
    public static bool InMemory(int offset) => offset != Register.ZeroOffset && Host(offset) < 0;
}
