using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;
using Iced.Intel;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Translator;

/// <summary>
/// A guest address: base and index as byte offsets into the CpuState (<see cref="Register.ZeroOffset"/>: none), and the offset of a segment's base (0: none).
/// <see cref="Width"/>: bytes that the offset is cut to. <see cref="Checked"/>: the segment whose end it must not pass; -1: none has to be looked at.
/// </summary>
/// <remarks>Valid as a value; it holds nothing of the instruction it was made from.</remarks>
internal readonly unsafe record struct GuestAddress(int Base, int Index, int Scale, int Disp, int Segment, int Width = 8, int Checked = -1)
{
    /// <summary>64-bit addressing: registers may be in memory, and the sum is the linear address but for a segment's base.</summary>
    public bool Is64 => Width == 8;

    /// <summary>The memory operand of an instruction in code of a mode.</summary>
    public static GuestAddress Of(Insn* i, ModeKey mode)
    {
        if ((mode & ModeKey.BitnessMask) == ModeKey.Code64)
        {
            int segment = (i->Flags & InsnFlags.Flat) != 0 ? 0 : i->Segment == State.Segment.Fs ? StateOffset.FsBase : StateOffset.GsBase;
            return new GuestAddress(i->Base, i->Index, i->Scale, i->Disp, segment);
        }

        int width = (i->Flags & InsnFlags.Addr16) != 0 ? 2 : 4;
        int disp = IsAbsolute((Code)i->Code) ? (int)i->Imm : i->Disp;
        return In(i->Segment, mode, new GuestAddress(i->Base, i->Index, i->Scale, disp, 0, width));
    }

    /// <summary>Relative to the stack pointer, or what takes its place.</summary>
    public static GuestAddress OnStack(int guest, int disp, ModeKey mode)
    {
        if ((mode & ModeKey.BitnessMask) == ModeKey.Code64)
        {
            return new GuestAddress(guest * 8, Register.ZeroOffset, 0, disp, 0);
        }

        return In(State.Segment.Ss, mode, new GuestAddress(guest * 8, Register.ZeroOffset, 0, disp, 0, (mode & ModeKey.Stack32) != 0 ? 4 : 2));
    }

    /// <summary>MOV between the accumulator and an address that is given as an immediate.</summary>
    public static bool IsAbsolute(Code code) => code is >= Code.Mov_AL_moffs8 and <= Code.Mov_moffs64_RAX;

    /// <summary>Host register that holds a base or index; -1: none or in memory.</summary>
    public static int Host(int offset) => offset < 16 * 8 ? HostRegister.Of(offset / 8) : -1;

    /// <summary>The base or index has to be loaded from the state.</summary>
    public static bool InMemory(int offset) => offset != Register.ZeroOffset && Host(offset) < 0;

    /// <summary>Outside 64-bit code: flat data needs neither base nor check, as nothing that wraps around at 4 GiB is found in the TLB.</summary>
    private static GuestAddress In(int segment, ModeKey mode, in GuestAddress a) =>
        (mode & ModeKey.FlatData) != 0 && segment is State.Segment.Es or State.Segment.Ss or State.Segment.Ds
            ? a
            : a with { Segment = StateOffset.SegmentBase(segment), Checked = segment };
}
